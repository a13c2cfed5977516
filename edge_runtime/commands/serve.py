"""edge-run serve: watch a source and show it on a page."""

from __future__ import annotations

import argparse
import sys
import threading
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.command_line.runner import SUCCESS, set_action
from edge_runtime.commands.options.model import ModelOptions, add_model_options, open_classifier
from edge_runtime.commands.options.sinks import SinkOptions, add_sink_options, close_all, sinks_from
from edge_runtime.commands.options.stream import SOURCES, StreamOptions, add_stream_options, source_from, stream_from
from edge_runtime.errors import BackendUnavailable
from edge_runtime.system.credentials import credential
from edge_runtime.system.notification import ready, stopping

if TYPE_CHECKING:
    from edge_runtime.live.stream import Stream
    from edge_runtime.web.site import Site

TOKEN_VARIABLE = "EDGE_RUN_TOKEN"  # noqa: S105 - the name of the variable, no secret
PORT = 8080
MAX_PORT = 65_535
LAST_FRAME_S = 10.0  # how long the loop may take to end after the server has ended


@dataclass(frozen=True)
class ServeOptions:
    """The options of `edge-run serve`, as its help describes them."""

    bundle: str
    host: str
    port: int
    token_file: Path | None
    public_url: str | None
    title: str | None
    model: ModelOptions
    stream: StreamOptions
    sinks: SinkOptions


def add_parser(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the subcommand."""
    command = commands.add_parser(
        "serve",
        help="watch a source and show it on a page",
        description="Watch a source, and serve a page that shows it, POST /classify, GET /events, /state, "
        "/picture.jpg, /healthz, /metrics and /openapi.json.",
        allow_abbrev=False,
    )
    command.add_argument("bundle", metavar="BUNDLE", help="folder that edge-export wrote")
    command.add_argument("--source", required=True, metavar="S", help=SOURCES)
    group = command.add_argument_group("access")
    group.add_argument(
        "--host",
        default="127.0.0.1",
        help=f"address to bind to; {TOKEN_VARIABLE} must be set for any other than loopback (127.0.0.1)",
    )
    group.add_argument("--port", type=_port, default=PORT, help=f"default: {PORT}")
    group.add_argument(
        "--token-file", type=Path, metavar="FILE", help=f"read the token from this file instead of {TOKEN_VARIABLE}"
    )
    group.add_argument(
        "--public-url",
        metavar="URL",
        help="address of the HTTPS proxy in front of the server, such as https://camera.example.org; needs a token",
    )
    group.add_argument("--title", help="title of the page (default: the source's name)")
    add_model_options(command)
    add_stream_options(command)
    add_sink_options(command)
    set_action(command, ServeOptions, serve)


def serve(options: ServeOptions) -> int:
    """Run the live loop and the web server."""
    from edge_runtime.live.sinks.eventlog import read_events
    from edge_runtime.web.hub import MAX_EVENTS, Hub
    from edge_runtime.web.protection.access import check_token, parse_public_url
    from edge_runtime.web.site import Site

    _require_server()
    token = credential(TOKEN_VARIABLE, options.token_file)
    public_url = parse_public_url(options.public_url) if options.public_url else None
    check_token(options.host, token, options.public_url)
    source = source_from(options.stream)
    # One for the camera, one for uploads: a classifier is not for use by two threads at once.
    watching, answering = (open_classifier(options.bundle, options.model) for _ in range(2))
    hub, stop = Hub(), threading.Event()
    sinks = sinks_from(options.sinks, source.name)
    if options.sinks.event_log:
        hub.restore(read_events(options.sinks.event_log, newest=MAX_EVENTS))
    try:
        stream = stream_from(
            options.stream,
            source,
            watching,
            [hub, *sinks],
            stop=stop,
            on_frame=[lambda frame, _prediction: hub.frame(frame, stream.candidate())],
        )
        site = Site(
            hub,
            answering,
            token=token,
            public_url=public_url,
            title=options.title or _title(source.name),
            roi=options.stream.roi,
            event_log=options.sinks.event_log,
            outboxes=[sink.outbox for sink in sinks if hasattr(sink, "outbox")],
            stale_s=2 * options.stream.stall_timeout,
        )
        _run(options, site, stream, stop)
    finally:
        stopping()
        close_all(sinks)
    return SUCCESS


def _run(options: ServeOptions, site: Site, stream: Stream, stop: threading.Event) -> None:
    """Serve in this thread while the loop runs in another; an error that ends the loop ends the server.

    The end of a video does not: the page then shows it.
    """
    from edge_runtime.web.server import run_server

    problems: list[BaseException] = []

    def follow() -> None:
        """Run the loop, and end the server if it fails."""
        try:
            stream.run()
            site.hub.end()
        except BaseException as problem:  # noqa: BLE001 - raised again in the main thread
            problems.append(problem)
            stop.set()

    loop = threading.Thread(target=follow, name="live loop", daemon=True)
    loop.start()
    run_server(site, host=options.host, port=options.port, stop=stop, on_ready=_report_ready)
    loop.join(LAST_FRAME_S)
    if problems:
        raise problems[0]


def _title(name: str) -> str:
    """Return a source's name without settings such as ?fps=30; an address is different with other parameters."""
    return name if "://" in name else name.partition("?")[0]


def _report_ready(address: str) -> None:
    print(f"edge-run: serving on {address}", file=sys.stderr, flush=True)
    ready()


def _require_server() -> None:
    """Raise BackendUnavailable if a library is missing, before a camera is opened."""
    for module in ("starlette", "uvicorn", "prometheus_client"):
        if find_spec(module) is None:
            raise BackendUnavailable(f"serve needs {module}; install it with: pip install 'edgewise[serve]'")


def _port(text: str) -> int:
    value = int(text) if text.isascii() and text.isdecimal() else -1
    if not 0 <= value <= MAX_PORT:
        raise argparse.ArgumentTypeError(f"must be a port from 0 (any free port) to {MAX_PORT}, not {text!r}")
    return value
