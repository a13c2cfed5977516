"""edge-run serve: watch a source and show it on a page."""

from __future__ import annotations

import argparse
import os
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.command import SUCCESS
from edge_runtime.errors import BackendUnavailable, SourceError
from edge_runtime.notify import ready
from edge_runtime.sinks.options import add_sink_options, sinks_from
from edge_runtime.watch import SOURCES, add_model_arguments, add_stream_arguments, stream_from

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_runtime.records import Sink
    from edge_runtime.stream import Stream
    from edge_runtime.web.hub import Hub

TOKEN_VARIABLE = "EDGE_RUN_TOKEN"  # noqa: S105 - the name of the variable, no secret
PORT = 8080
MOST_PORT = 65_535
LAST_FRAME_S = 10.0  # for the loop to end when the server has


def add_serve(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the command to edge-run's."""
    command = commands.add_parser(
        "serve",
        help="watch a source and show it on a page",
        description="Watch a source, and serve a page with what it shows, POST /classify, GET /events, /state, "
        "/picture.jpg, /healthz, /metrics and /openapi.json.",
        allow_abbrev=False,
    )
    command.add_argument("bundle", metavar="BUNDLE", help="folder that edge-export wrote")
    command.add_argument("--source", required=True, metavar="S", help=SOURCES)
    group = command.add_argument_group("who may look")
    group.add_argument(
        "--host",
        default="127.0.0.1",
        help=f"address to bind to; beyond loopback {TOKEN_VARIABLE} must be set (127.0.0.1)",
    )
    group.add_argument("--port", type=_port, default=PORT, help=f"default: {PORT}")
    group.add_argument("--token-file", type=Path, metavar="FILE", help=f"read the token from it, not {TOKEN_VARIABLE}")
    group.add_argument("--title", help="shown above the page (default: the bundle's name)")
    add_model_arguments(command)
    add_stream_arguments(command)
    add_sink_options(command)
    command.set_defaults(run=_serve)


def _serve(args: argparse.Namespace) -> int:
    from edge_runtime.classifier import Classifier
    from edge_runtime.sources import open_source
    from edge_runtime.web.access import check_token
    from edge_runtime.web.hub import Hub

    _require_server()
    token = _token(args.token_file)
    check_token(args.host, token)
    source = open_source(args.source, fps=args.fps, timeout_s=2 * args.stall_timeout)
    watching, answering = (
        Classifier.open(args.bundle, artifact=args.artifact, backend=args.backend, threads=args.threads) for _ in "12"
    )
    hub, stop = Hub(), threading.Event()
    sinks = sinks_from(args)
    try:
        stream = stream_from(
            args, source, watching, [hub, *sinks], stop=stop, on_frame=lambda frame, _prediction: hub.frame(frame)
        )
        _run(args, stream, hub, answering, sinks, stop, token)
    finally:
        for sink in sinks:
            sink.close()
    return SUCCESS


def _run(
    args: argparse.Namespace,
    stream: Stream,
    hub: Hub,
    answering: Any,  # noqa: ANN401 - a Classifier, whose module must not be imported at the top
    sinks: Sequence[Sink],
    stop: threading.Event,
    token: str | None,
) -> None:
    """Serve in this thread while the loop runs in another; what ends the loop by an error ends the server."""
    from edge_runtime.web.server import run_server

    problems: list[BaseException] = []

    def follow() -> None:
        try:
            stream.run()
        except BaseException as problem:  # noqa: BLE001 - raised again in the main thread
            problems.append(problem)
            stop.set()

    loop = threading.Thread(target=follow, name="live loop", daemon=True)
    loop.start()
    run_server(
        hub,
        answering,
        host=args.host,
        port=args.port,
        token=token,
        title=args.title or Path(args.bundle).resolve().name,
        outboxes=[sink.outbox for sink in sinks if hasattr(sink, "outbox")],
        stale_s=2 * args.stall_timeout,
        stop=stop,
        on_ready=_tell_ready,
    )
    loop.join(LAST_FRAME_S)
    if problems:
        raise problems[0]


def _tell_ready(address: str) -> None:
    print(f"edge-run: serving on {address}", file=sys.stderr, flush=True)
    ready()


def _require_server() -> None:
    """Raise BackendUnavailable where a library is missing, before a camera is opened for nothing."""
    for module in ("starlette", "uvicorn"):
        if find_spec(module) is None:
            raise BackendUnavailable(f"serve needs {module}; pip install 'edgewise[serve]' brings it")


def _token(file: Path | None) -> str | None:
    """Give the token from the file or the environment; never from the command line, which others can read."""
    if file is None:
        return os.environ.get(TOKEN_VARIABLE) or None
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as problem:
        raise SourceError(f"{file}: the token cannot be read: {problem}") from None


def _port(text: str) -> int:
    value = int(text) if text.isascii() and text.isdecimal() else -1
    if not 0 <= value <= MOST_PORT:
        raise argparse.ArgumentTypeError(f"must be a port from 0 (any that is free) to {MOST_PORT}, not {text!r}")
    return value
