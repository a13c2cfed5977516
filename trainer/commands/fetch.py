"""edge-train fetch: get the reviewed pictures of a device."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge_runtime.command_line.numbers import positive_int
from edge_runtime.command_line.runner import FAILURE, SUCCESS, set_action
from edge_runtime.system.credentials import credential
from trainer.fetch.pictures import MEGABYTE, Fetched, fetch
from trainer.progress import log

TOKEN_VARIABLE = "EDGE_RUN_TOKEN"  # noqa: S105 - the name of the variable, no secret
MAX_MB = 10_000
SHOWN = 10


@dataclass(frozen=True)
class FetchOptions:
    """The options of `edge-train fetch`, as its help describes them."""

    url: str
    out: Path
    token_file: Path | None
    max_mb: int
    json: bool


def add_parser(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the subcommand."""
    parser = commands.add_parser(
        "fetch",
        help="get the labelled pictures of a device",
        description="Get the labelled pictures that a device serves and that a data folder does not contain yet. "
        "Repeat the command to continue after an interruption.",
        example="edge-train fetch http://pi:8080 --token-file token --out photos",
    )
    parser.add_argument("url", metavar="URL", help="address of edge-run on the device, such as http://pi:8080")
    parser.add_argument("--out", type=Path, required=True, metavar="DATA", help="the data folder")
    parser.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help=f"read the token of the device from this file instead of {TOKEN_VARIABLE}",
    )
    parser.add_argument(
        "--max-mb", type=positive_int, default=MAX_MB, metavar="MB", help="maximum to fetch, default: %(default)s"
    )
    parser.add_argument("--json", action="store_true", help="print the result as one JSON line")
    set_action(parser, FetchOptions, run)


def run(options: FetchOptions) -> int:
    """Fetch and print a summary; return 1 if the device listed entries that are not valid."""
    from trainer.fetch.connection import Device

    token = credential(TOKEN_VARIABLE, options.token_file)
    done = fetch(Device(options.url, token), options.out, most_bytes=options.max_mb * MEGABYTE)
    for what, names in (
        ("in another class here, left there", done.elsewhere),
        ("with another content here, left as they are", done.different),
        ("refused entries of the device's list", done.refused),
    ):
        if names:
            log(f"{len(names)} {what}:")
            for name in names[:SHOWN]:
                log(f"  {name}")
    print(json.dumps(asdict(done)) if options.json else summary(done))
    return FAILURE if done.refused else SUCCESS


def summary(done: Fetched) -> str:
    """Return the result in one line."""
    return f"{done.new} new pictures ({done.new_bytes / MEGABYTE:.1f} MB), {done.present} were there already"
