"""edge-run review: give kept frames their labels on a page, without a camera and without a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.command_line.runner import SUCCESS, set_action
from edge_runtime.commands.options.access import AccessOptions, add_access_options, report_address, require_server
from edge_runtime.commands.options.labels import add_labels_option


@dataclass(frozen=True)
class ReviewOptions:
    """The options of `edge-run review`, as its help describes them."""

    folder: Path
    labels: tuple[str, ...]
    access: AccessOptions


def add_parser(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the subcommand."""
    command = commands.add_parser(
        "review",
        help="label the frames that --keep-hard has kept, on a page",
        description="Serve a page on which the frames in DIR/kept get their labels. The result is DIR/reviewed, with "
        "one folder for each class.",
        example="edge-run review kept --labels cat,dog",
    )
    command.add_argument("folder", metavar="DIR", type=Path, help="folder of --keep-hard")
    add_labels_option(command, "classes that the model did not name are added, in the order of their keys")
    add_access_options(command)
    set_action(command, ReviewOptions, review)


def review(options: ReviewOptions) -> int:
    """Serve the page until a signal stops the command."""
    require_server("review")
    from edge_runtime.collection.errors import CollectionError
    from edge_runtime.collection.review.reviews import Reviews
    from edge_runtime.web.labelling.apps import build_review_app
    from edge_runtime.web.protection.access import is_loopback
    from edge_runtime.web.server import run_app

    token, public_url = options.access.token(), options.access.parsed_public_url()
    if not options.folder.is_dir():
        raise CollectionError(f"{options.folder}: no such folder; use the one of --keep-hard")
    reviews = Reviews(options.folder, options.labels)
    host = options.access.host
    run_app(
        build_review_app(reviews, token=token, loopback=is_loopback(host), public_url=public_url),
        host=host,
        port=options.access.port,
        behind_proxy=public_url is not None,
        on_ready=report_address,
    )
    return SUCCESS
