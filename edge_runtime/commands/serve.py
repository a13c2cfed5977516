"""edge-run serve: watch a source and show it on a page."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from edge_runtime.command_line.background import in_background
from edge_runtime.command_line.runner import SUCCESS, set_action
from edge_runtime.commands.options.access import AccessOptions, add_access_options, report_address, require_server
from edge_runtime.commands.options.drift import DriftOptions, add_drift_options, drift_from
from edge_runtime.commands.options.keep import KeepOptions, add_keep_options, keeper_from
from edge_runtime.commands.options.model import ModelOptions, add_model_options, open_classifier
from edge_runtime.commands.options.sinks import SinkOptions, add_sink_options, close_all, sinks_from
from edge_runtime.commands.options.stream import (
    SOURCES,
    StreamOptions,
    add_stream_options,
    rules_for,
    source_from,
    stream_from,
)
from edge_runtime.commands.options.switch import follower_of, following, switch_parts
from edge_runtime.system.notification import ready, stopping

if TYPE_CHECKING:
    from edge_runtime.classify.classifier import Classifier
    from edge_runtime.collection.review.reviews import Reviews
    from edge_runtime.live.stream import Stream
    from edge_runtime.web.site import Site


@dataclass(frozen=True)
class ServeOptions:
    """The options of `edge-run serve`, as its help describes them."""

    bundle: str
    access: AccessOptions
    title: str | None
    model: ModelOptions
    stream: StreamOptions
    sinks: SinkOptions
    drift: DriftOptions
    keep: KeepOptions


def add_parser(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the subcommand."""
    command = commands.add_parser(
        "serve",
        help="watch a source and show it on a page",
        description="Watch a source, and serve a page that shows it, POST /classify, GET /events, /state, "
        "/picture.jpg, /healthz, /metrics and /openapi.json.",
        example="edge-run serve bundle --source 0",
    )
    command.add_argument("bundle", metavar="BUNDLE", help="folder that edge-export wrote")
    command.add_argument("--source", required=True, metavar="S", help=SOURCES)
    group = add_access_options(command)
    group.add_argument("--title", help="title of the page (default: the source's name)")
    add_model_options(command)
    add_stream_options(command)
    add_sink_options(command)
    add_drift_options(command)
    add_keep_options(command)
    set_action(command, ServeOptions, serve)


def serve(options: ServeOptions) -> int:
    """Run the live loop and the web server."""
    from edge_runtime.live.sinks.eventlog import read_events
    from edge_runtime.web.hub import MAX_EVENTS, Hub
    from edge_runtime.web.site import Site

    require_server("serve", "prometheus_client")
    token, public_url = options.access.token(), options.access.parsed_public_url()
    source = source_from(options.stream)
    follower = follower_of(options.bundle, options.stream.roi)
    # One for the camera, one for uploads: a classifier is not for use by two threads at once.
    watching, answering = (open_classifier(options.bundle, options.model) for _ in range(2))
    drift = drift_from(options.drift, watching.bundle) if source.live else None
    hub, stop = Hub(), threading.Event()
    keeper = keeper_from(options.keep, watching, source, options.stream.roi)
    sinks = sinks_from(options.sinks, source.name, options.bundle)
    parts: list[Any] = [*sinks, *([keeper] if keeper else [])]
    if options.sinks.event_log:
        hub.restore(read_events(options.sinks.event_log, newest=MAX_EVENTS))
    try:
        stream = stream_from(
            options.stream,
            source,
            watching,
            [hub, *sinks],
            stop=stop,
            on_frame=[
                lambda frame, _prediction: hub.frame(frame, stream.candidate()),
                *([follower.on_frame] if follower else []),
                *([keeper.offer] if keeper else []),
            ],
            drift=drift,
        )
        site = Site(
            hub,
            answering,
            token=token,
            public_url=public_url,
            title=options.title or _title(source.name),
            roi=options.stream.roi,
            event_log=options.sinks.event_log,
            outboxes=[part.outbox for part in parts if hasattr(part, "outbox")],
            keeper=keeper,
            reviews=_reviews(options, watching),
            stale_s=2 * options.stream.stall_timeout,
            drift=drift,
        )
        switch = partial(_switch, options, stream, site)
        with following(follower, lambda: open_classifier(options.bundle, options.model), switch):
            _run(options, site, stream, stop)
    finally:
        stopping()
        close_all(parts)
        if drift:
            drift.close()
    return SUCCESS


def _switch(options: ServeOptions, stream: Stream, site: Site, new: Classifier) -> None:
    """Continue the loop and the uploads with another model."""
    other = open_classifier(options.bundle, options.model)
    switch_parts(new, site.keeper, site.drift)
    stream.switch(new, rules_for(options.stream, new))
    site.classifier = other


def _run(options: ServeOptions, site: Site, stream: Stream, stop: threading.Event) -> None:
    """Serve in this thread while the loop runs in another; an error that ends the loop ends the server.

    The end of a video does not: the page then shows it.
    """
    from edge_runtime.web.server import run_server

    def follow() -> None:
        """Run the loop, and note the end of a video."""
        stream.run()
        site.hub.end()

    with in_background(follow, stop):
        run_server(site, host=options.access.host, port=options.access.port, stop=stop, on_ready=_report_ready)


def _reviews(options: ServeOptions, classifier: Classifier) -> Reviews | None:
    """Return the review of the frames that are kept; None if none are kept."""
    if options.keep.keep_hard is None:
        return None
    from edge_runtime.collection.names import folder_labels
    from edge_runtime.collection.review.reviews import Reviews

    return Reviews(options.keep.keep_hard, folder_labels(classifier.spec.labels))


def _title(name: str) -> str:
    """Return a source's name without settings such as ?fps=30; an address is different with other parameters."""
    return name if "://" in name else name.partition("?")[0]


def _report_ready(address: str) -> None:
    report_address(address)
    ready()
