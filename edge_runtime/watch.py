"""edge-run watch: decide on what a source shows, frame after frame, until it ends or is told to stop."""

from __future__ import annotations

import argparse
import math
import signal
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from edge_runtime.backends import BACKEND_NAMES
from edge_runtime.command import FAILURE, SUCCESS, fraction, one_line, positive_int
from edge_runtime.notify import heartbeat, ready
from edge_runtime.sinks.options import add_sink_options, sinks_from

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edge_runtime.classifier import Classifier
    from edge_runtime.errors import SourceError
    from edge_runtime.records import Frame, FramePrediction, Sink, Source
    from edge_runtime.smoothing import Rules
    from edge_runtime.stream import Stream

SOURCES = (
    "image, folder, 'quoted/*.jpg', - (paths on stdin), video file, camera index or /dev/videoN, http:// (MJPEG), "
    "rtsp://, picamera, simulated:FOLDER?fps=30"
)
UNREADABLE_EVERY_S = 60.0  # a camera whose every frame is damaged would fill a disk with lines


def add_watch(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the command to edge-run's."""
    command = commands.add_parser(
        "watch",
        help="decide on a camera's or a video's frames",
        description="Decide on a source's frames, and tell what comes and goes. A camera that stalls is opened again.",
        allow_abbrev=False,
    )
    command.add_argument("bundle", metavar="BUNDLE", help="folder that edge-export wrote")
    command.add_argument("--source", required=True, metavar="S", help=SOURCES)
    add_model_arguments(command)
    form = command.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object a line for each frame and event")
    form.add_argument("--csv", action="store_true", help="one row for each frame and event")
    add_stream_arguments(command)
    add_sink_options(command)
    command.set_defaults(run=_watch)


def add_stream_arguments(command: argparse.ArgumentParser) -> None:
    """Add what `stream_from` reads: which frames are looked at, and how they are decided upon."""
    command.add_argument("--top-k", type=positive_int, metavar="K", default=3, help="classes to tell (default: 3)")
    command.add_argument("--frames", type=positive_int, metavar="N", help="end after N decided frames")
    _add_selection(command)
    _add_rules(command)
    _add_patience(command)


def add_model_arguments(command: argparse.ArgumentParser) -> None:
    """Add what says which artifact runs, and in what."""
    command.add_argument("--artifact", metavar="NAME", help="such as int8.tflite (default: the bundle's)")
    command.add_argument("--backend", choices=BACKEND_NAMES, help="default: LiteRT before tflite-runtime for .tflite")
    command.add_argument("--threads", type=positive_int, metavar="N", help="default: one a core, four at most")


def _add_selection(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("which frames")
    group.add_argument("--roi", type=_roi, metavar="X,Y,W,H", help="look at this part of the picture, in pixels")
    group.add_argument("--every", type=positive_int, default=1, metavar="N", help="look at one frame in N")
    group.add_argument("--max-fps", type=positive, metavar="F", help="look at F frames a second at most")
    group.add_argument("--fps", type=positive, metavar="F", help="of a video file, take F frames of each second")
    group.add_argument(
        "--motion", type=positive, metavar="T", help="pass over frames that differ by less than T (0..255) on average"
    )


def _add_rules(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("decision over frames")
    group.add_argument("--decision", metavar="FILE", help="what tune-decision wrote; the options below go before it")
    group.add_argument("--min-score", type=fraction, metavar="X", help="below it: unknown (default: the spec's)")
    group.add_argument("--smooth", type=fraction, metavar="A", help="weight of the newest frame (0.5; 1: no smoothing)")
    group.add_argument("--k", type=positive_int, metavar="K", help="votes that let a class in (3)")
    group.add_argument("--n", type=positive_int, metavar="N", help="of the last so many (5)")
    group.add_argument("--leave", type=positive_int, metavar="L", help="with fewer than so many it leaves (2)")
    group.add_argument("--margin", type=fraction, metavar="X", help="what the present class may lack in score (0.1)")


def _add_patience(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("a silent camera")
    group.add_argument(
        "--stall-timeout", type=positive, default=5.0, metavar="S", help="without a fresh frame it has stalled (5)"
    )
    group.add_argument(
        "--give-up", type=positive, default=60.0, metavar="S", help="without one, end with exit code 1 (60)"
    )


def _watch(args: argparse.Namespace) -> int:
    from edge_runtime.classifier import Classifier
    from edge_runtime.sources import open_source

    source = open_source(args.source, fps=args.fps, timeout_s=2 * args.stall_timeout)
    classifier = Classifier.open(args.bundle, artifact=args.artifact, backend=args.backend, threads=args.threads)
    sinks = [_console(args, live=source.live), *sinks_from(args)]
    try:
        with stop_on_signals() as stop:
            stream = stream_from(args, source, classifier, sinks, stop=stop)
            ready()
            tally = stream.run()
    finally:
        for sink in sinks:
            sink.close()
    return FAILURE if tally.unreadable and not source.live else SUCCESS


def stream_from(
    args: argparse.Namespace,
    source: Source,
    classifier: Classifier,
    sinks: Sequence[Sink],
    *,
    stop: threading.Event,
    on_frame: Callable[[Frame, FramePrediction], None] = lambda _frame, _prediction: None,
) -> Stream:
    """Set up the live loop that the options describe; it feeds systemd's watchdog. Raises SpecError."""
    from edge_runtime.capture import Patience
    from edge_runtime.preparation import Selection
    from edge_runtime.stream import Stream

    return Stream(
        source,
        classifier,
        sinks,
        selection=Selection(args.roi, args.every, args.max_fps, args.motion),
        rules=_rules(args, classifier),
        patience=Patience(args.stall_timeout, args.give_up),
        top_k=args.top_k,
        frames=args.frames,
        stop=stop,
        heartbeat=heartbeat(),
        on_frame=on_frame,
        on_unreadable=unreadable_teller(source),
    )


def _console(args: argparse.Namespace, *, live: bool) -> Sink:
    """Give what tells results on standard output: of files every line, of a camera those that its reader can take."""
    from edge_runtime.sinks.console import Console, Csv, DirectLines, Json, Text
    from edge_runtime.sinks.lines import QueuedLines

    form = Json() if args.json else Csv() if args.csv else Text()
    return Console(form, QueuedLines(sys.stdout) if live else DirectLines(sys.stdout))


def _rules(args: argparse.Namespace, classifier: Classifier) -> Rules:
    """Put together the rules: defaults and the spec's thresholds, then --decision, then the other options."""
    from dataclasses import replace

    from edge_runtime.decision_file import read_rules
    from edge_runtime.smoothing import Rules

    spec = classifier.spec
    rules = read_rules(args.decision, spec) if args.decision else Rules(spec.thresholds)
    if args.min_score is not None:
        rules = replace(rules, thresholds=(args.min_score,) * len(spec.labels))
    given = {"alpha": args.smooth, "k": args.k, "n": args.n, "leave": args.leave, "margin": args.margin}
    rules = replace(rules, **{name: value for name, value in given.items() if value is not None})
    classifier.spec = replace(spec, thresholds=rules.thresholds)
    return checked(rules)


def checked(rules: Rules) -> Rules:
    """Give the rules if they can be met, `leave` brought down to `k` where only that was too high."""
    from dataclasses import replace

    from edge_runtime.errors import SpecError

    if rules.alpha <= 0:
        raise SpecError("smoothing: the newest frame's weight must be above 0")
    if rules.k > rules.n:
        raise SpecError(f"k of n: {rules.k} votes of the last {rules.n} can never come")
    return replace(rules, leave=min(rules.leave, rules.k))


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Give an event that SIGTERM and SIGINT set; a second one ends the process at once."""
    stop = threading.Event()
    before: dict[int, Any] = {}

    def set_stop(number: int, _: object) -> None:
        stop.set()
        signal.signal(number, before[number])

    for wanted in (signal.SIGTERM, signal.SIGINT):
        before[wanted] = signal.signal(wanted, set_stop)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def unreadable_teller(source: Source) -> Callable[[Frame, SourceError], None]:
    """Give what tells of frames that could not be decoded: of files each, of a camera one a minute, with a count."""
    told_s, silent = -math.inf, 0

    def tell(frame: Frame, problem: SourceError) -> None:
        nonlocal told_s, silent
        if source.live and time.monotonic() - told_s < UNREADABLE_EVERY_S:
            silent += 1
            return
        before = f" ({silent} others before it)" if silent else ""
        told_s, silent = time.monotonic(), 0
        where = f"edge-run: {frame.source}: frame {frame.number} passed over{before}"
        print(f"{where}: {one_line(problem)}", file=sys.stderr)

    return tell


def positive(text: str) -> float:
    """Parse a number above zero, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number above 0, not {text!r}")
    return value


def _roi(text: str) -> tuple[int, int, int, int]:
    parts = text.split(",")
    if len(parts) != 4 or not all(part.isascii() and part.isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(f"must be x,y,w,h in whole pixels, not {text!r}")
    x, y, width, height = map(int, parts)
    if not width or not height:
        raise argparse.ArgumentTypeError(f"must be wider and higher than nothing, not {text!r}")
    return x, y, width, height
