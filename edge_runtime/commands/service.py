"""edge-run service: print a systemd unit that runs watch or serve."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.command_line.numbers import positive_int
from edge_runtime.command_line.runner import SUCCESS, USAGE, set_action
from edge_runtime.errors import BundleError, SourceError
from edge_runtime.system.unit import CPU_PERCENT, MEMORY_MB, WATCHDOG_S, unit

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class ServiceOptions:
    """The options of `edge-run service`, as its help describes them."""

    bundle: str
    source: str
    serve: bool
    user: str | None
    memory_mb: int
    cpu_percent: int
    watchdog_s: int
    options: str


def add_parser(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the subcommand."""
    command = commands.add_parser(
        "service",
        help="print a systemd unit that runs watch or serve",
        description="Print a hardened systemd unit. It restarts a classifier that stalls or needs too much memory.",
        example="edge-run service bundle --source 0 --serve",
    )
    command.add_argument("bundle", metavar="BUNDLE", help="folder that edge-export wrote")
    command.add_argument("--source", metavar="S", required=True, help="as for watch")
    command.add_argument("--serve", action="store_true", help="run serve, with its page, instead of watch")
    command.add_argument(
        "--user", metavar="NAME", help="the user it runs as (default: you; for root, a user that systemd creates)"
    )
    command.add_argument(
        "--memory-mb", type=positive_int, default=MEMORY_MB, help=f"memory limit (default: {MEMORY_MB})"
    )
    command.add_argument(
        "--cpu-percent", type=positive_int, default=CPU_PERCENT, help=f"100 is one core (default: {CPU_PERCENT})"
    )
    command.add_argument(
        "--watchdog-s",
        type=positive_int,
        default=WATCHDOG_S,
        help=f"restart after this number of seconds without a decision on a fresh frame (default: {WATCHDOG_S})",
    )
    command.add_argument(
        "--options",
        metavar="TEXT",
        default="",
        help="further options of watch or serve, quoted: --options='--mqtt broker --event-log events.db'",
    )
    set_action(command, ServiceOptions, service)


def service(options: ServiceOptions) -> int:
    """Print the unit; return 2 if watch or serve would not accept the options."""
    import getpass

    bundle = Path(options.bundle).resolve()
    if not bundle.is_dir():
        raise BundleError(f"{options.bundle}: no such bundle folder; edge-export writes one")
    subcommand, further = "serve" if options.serve else "watch", _split(options.options)
    _refuse_secrets([options.source, *further])
    if not _accepted([subcommand, options.bundle, "--source", options.source, *further]):
        return USAGE
    print(
        unit(
            bundle,
            options.source,
            further,
            subcommand=subcommand,
            user=options.user or os.environ.get("SUDO_USER") or getpass.getuser(),
            memory_mb=options.memory_mb,
            cpu_percent=options.cpu_percent,
            watchdog_s=options.watchdog_s,
        ),
        end="",
    )
    if sys.stdout.isatty():
        print(
            "edge-run: write it with > edgewise.service, move it to /etc/systemd/system/ and enable it", file=sys.stderr
        )
    return SUCCESS


def _refuse_secrets(words: Sequence[str]) -> None:
    """Raise SourceError if a word contains a password: every user can read a unit and the list of processes."""
    from edge_runtime.system.addresses import has_secret

    for word in words:
        if has_secret(word):
            raise SourceError(
                "the address contains a password, which every user could read in the unit and the list of processes; "
                "write the address into a file of mode 600 and name it with @: --source @/etc/edgewise/camera"
            )


def _split(text: str) -> list[str]:
    import shlex

    try:
        return shlex.split(text)
    except ValueError as problem:
        raise SourceError(f"--options {text!r}: {problem}") from None


def _accepted(argv: Sequence[str]) -> bool:
    """Return whether edge-run accepts these words; print why not. A unit that cannot start would restart for ever."""
    from edge_runtime.command_line.parser import CommandParser
    from edge_runtime.commands import serve, watch

    parser = CommandParser(prog="edge-run")
    commands = parser.add_subparsers()
    (serve if argv[0] == "serve" else watch).add_parser(commands)
    try:
        parser.parse_args(argv)
    except SystemExit:
        return False
    return True
