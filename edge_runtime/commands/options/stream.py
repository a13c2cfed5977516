"""The options that set up the live loop: which frames are classified, the decision over frames, stalled cameras."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from edge_runtime.command_line.numbers import fraction, positive_float, positive_int
from edge_runtime.commands.options.reports import skipped_reporter, unreadable_reporter

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from edge_runtime.classify.classifier import Classifier
    from edge_runtime.live.drifting import DriftWatch
    from edge_runtime.live.records import Frame, FramePrediction, Sink, Source
    from edge_runtime.live.smoothing import Rules
    from edge_runtime.live.stream import Stream

SOURCES = (
    "image, folder, 'quoted/*.jpg', - (paths on stdin), video file, camera index or /dev/videoN, http:// (MJPEG), "
    "rtsp://, picamera, simulated:FOLDER?fps=30, @FILE (a file that contains the address, if it has a password)"
)


@dataclass(frozen=True)
class StreamOptions:
    """How a source is watched; None takes the default that the help names.

    Attributes:
        source: as `open_source` takes it.
        top_k: classes in each prediction.
        frames: stop after this number of decided frames.
        rotate: degrees clockwise by which each picture is turned.
        flip: "horizontal" or "vertical" to mirror each picture; None does not.
        roi: x, y, width and height of the region of the turned picture that is classified, in pixels.
        every: classify one frame in N.
        max_fps: classify at most this number of frames a second.
        fps: frames to take from each second of a video file, or from a snapshot address.
        motion: smallest mean difference between frames, 0..255, at which a frame is classified.
        decision: file with the rules that tune-decision wrote.
        min_score: one threshold for all classes.
        smooth: weight of the newest frame, 0..1.
        k: votes needed to enter a class.
        n: frames that vote.
        leave: votes below which a class leaves.
        margin: how far the present class may fall below its threshold and still get votes.
        stall_timeout: seconds without a fresh frame after which a camera has stalled.
        give_up: seconds without a fresh frame after which the command ends.

    """

    source: str
    top_k: int
    frames: int | None
    rotate: Literal[0, 90, 180, 270]
    flip: Literal["horizontal", "vertical"] | None
    roi: tuple[int, int, int, int] | None
    every: int
    max_fps: float | None
    fps: float | None
    motion: float | None
    decision: str | None
    min_score: float | None
    smooth: float | None
    k: int | None
    n: int | None
    leave: int | None
    margin: float | None
    stall_timeout: float
    give_up: float


def add_stream_options(command: argparse.ArgumentParser) -> None:
    """Add the options of StreamOptions except --source, which each command adds in its own place."""
    command.add_argument("--top-k", type=positive_int, metavar="K", default=3, help="classes to print (default: 3)")
    command.add_argument("--frames", type=positive_int, metavar="N", help="stop after N decided frames")
    _add_selection(command)
    _add_rules(command)
    add_patience(command)


def _add_selection(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("which frames")
    add_mount(group)
    add_roi(group, "classify this region of the picture, in pixels")
    group.add_argument("--every", type=positive_int, default=1, metavar="N", help="classify one frame in N")
    group.add_argument("--max-fps", type=positive_float, metavar="F", help="classify at most F frames a second")
    group.add_argument(
        "--fps",
        type=positive_float,
        metavar="F",
        help="take F frames of each second of a video file (default: all) or of a snapshot address (1)",
    )
    group.add_argument(
        "--motion",
        type=positive_float,
        metavar="T",
        help="skip frames that differ from the last one by less than T (0..255) on average",
    )


def add_mount(command: argparse._ActionsContainer) -> None:
    """Add the options of a camera that is not mounted upright."""
    command.add_argument(
        "--rotate", type=int, choices=(0, 90, 180, 270), default=0, help="turn each picture clockwise by these degrees"
    )
    command.add_argument(
        "--flip", choices=("horizontal", "vertical"), help="mirror each picture: left and right, or top and bottom"
    )


def add_roi(command: argparse._ActionsContainer, meaning: str) -> None:
    """Add --roi, with its help."""
    command.add_argument("--roi", type=_roi, metavar="X,Y,W,H", help=meaning)


def _add_rules(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("decision over frames")
    group.add_argument(
        "--decision", metavar="FILE", help="rules that tune-decision wrote; the options below override them"
    )
    group.add_argument(
        "--min-score", type=fraction, metavar="X", help="below this score: unknown (default: the spec's thresholds)"
    )
    group.add_argument("--smooth", type=fraction, metavar="A", help="weight of the newest frame (0.5; 1: no smoothing)")
    group.add_argument("--k", type=positive_int, metavar="K", help="votes needed to enter a class (3)")
    group.add_argument("--n", type=positive_int, metavar="N", help="number of latest frames that vote (5)")
    group.add_argument("--leave", type=positive_int, metavar="L", help="votes below which a class leaves (2)")
    group.add_argument(
        "--margin", type=fraction, metavar="X", help="how far the present class may fall below its threshold (0.1)"
    )


def add_patience(command: argparse.ArgumentParser) -> None:
    """Add the options for a camera that stops sending."""
    group = command.add_argument_group("stalled cameras")
    group.add_argument(
        "--stall-timeout",
        type=positive_float,
        default=5.0,
        metavar="S",
        help="reopen the camera after S seconds without a fresh frame (5)",
    )
    group.add_argument(
        "--give-up",
        type=positive_float,
        default=60.0,
        metavar="S",
        help="exit with code 1 after S seconds without a fresh frame (60)",
    )


def source_from(options: StreamOptions) -> Source:
    """Return the source that the options name; it is not opened yet. Raise SourceError."""
    return open_named_source(options.source, fps=options.fps, timeout_s=2 * options.stall_timeout)


def open_named_source(name: str, *, fps: float | None, timeout_s: float) -> Source:
    """Return the source that --source names; see `open_source` for the other arguments.

    A password in the name is a reason for a warning; @FILE names a file that contains the address.
    """
    from edge_runtime.live.sources.opening import open_source
    from edge_runtime.system.addresses import has_secret
    from edge_runtime.system.credentials import address_from

    if has_secret(name):
        print(
            "edge-run: warning: --source contains a password, which every user of this device can read in the list of "
            "processes; write the address into a file of mode 600 and use --source @FILE",
            file=sys.stderr,
            flush=True,
        )
    return open_source(address_from(name), fps=fps, timeout_s=timeout_s)


def stream_from(
    options: StreamOptions,
    source: Source,
    classifier: Classifier,
    sinks: Sequence[Sink],
    *,
    stop: threading.Event,
    on_frame: Sequence[Callable[[Frame, FramePrediction], None]] = (),
    drift: DriftWatch | None = None,
) -> Stream:
    """Set up the live loop that the options describe; it also notifies systemd's watchdog. Raise SpecError.

    The functions in `on_frame` are called with each frame and its prediction, in their order.
    """
    from edge_runtime.image.upright import Mount
    from edge_runtime.live.capture import Patience
    from edge_runtime.live.hooks import Hooks, inspect_nothing
    from edge_runtime.live.preparation import Selection
    from edge_runtime.live.stream import Stream
    from edge_runtime.system.notification import heartbeat

    def call_all(frame: Frame, prediction: FramePrediction) -> None:
        for function in on_frame:
            function(frame, prediction)

    return Stream(
        source,
        classifier,
        sinks,
        selection=Selection(
            options.roi, options.every, options.max_fps, options.motion, Mount(options.rotate, options.flip or "")
        ),
        rules=rules_for(options, classifier),
        patience=Patience(options.stall_timeout, options.give_up),
        top_k=options.top_k,
        frames=options.frames,
        stop=stop,
        hooks=Hooks(
            heartbeat(),
            call_all,
            unreadable_reporter(source),
            skipped_reporter(source),
            drift.inspect if drift else inspect_nothing,
        ),
    )


def rules_for(options: StreamOptions, classifier: Classifier) -> Rules:
    """Merge the rules: defaults and the spec's thresholds, then --decision, then the other options."""
    from dataclasses import replace

    from edge_runtime.live.rules_file import read_rules
    from edge_runtime.live.smoothing import rules_of

    spec = classifier.spec
    rules = read_rules(options.decision, spec) if options.decision else rules_of(spec)
    if options.min_score is not None:
        rules = replace(rules, thresholds=(options.min_score,) * len(spec.labels))
    rules = replace(
        rules,
        alpha=rules.alpha if options.smooth is None else options.smooth,
        k=options.k or rules.k,
        n=options.n or rules.n,
        leave=options.leave or rules.leave,
        margin=rules.margin if options.margin is None else options.margin,
    )
    classifier.spec = replace(spec, thresholds=rules.thresholds)
    return checked(rules)


def checked(rules: Rules) -> Rules:
    """Return the rules with `leave` reduced to at most `k`. Raise SpecError if they can never be met."""
    from dataclasses import replace

    from edge_runtime.errors import SpecError

    if rules.alpha <= 0:
        raise SpecError("smoothing: the newest frame's weight must be above 0")
    if rules.k > rules.n:
        raise SpecError(f"k of n: {rules.k} votes of the last {rules.n} frames are impossible")
    return replace(rules, leave=min(rules.leave, rules.k))


def _roi(text: str) -> tuple[int, int, int, int]:
    parts = text.split(",")
    if len(parts) != 4 or not all(part.isascii() and part.isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(f"must be x,y,w,h in whole pixels, not {text!r}")
    x, y, width, height = map(int, parts)
    if not width or not height:
        raise argparse.ArgumentTypeError(f"width and height must be above 0, not {text!r}")
    return x, y, width, height
