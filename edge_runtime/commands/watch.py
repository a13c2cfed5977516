"""edge-run watch: classify the frames of a source until it ends or a signal stops the command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge_runtime.command_line.runner import FAILURE, SUCCESS, set_action
from edge_runtime.command_line.signals import stop_on_signals
from edge_runtime.command_line.standard_output import results_stream
from edge_runtime.commands.options.drift import DriftOptions, add_drift_options, drift_from
from edge_runtime.commands.options.keep import KeepOptions, add_keep_options, keeper_from
from edge_runtime.commands.options.model import ModelOptions, add_model_options, open_classifier
from edge_runtime.commands.options.reports import report_end
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
    from typing import TextIO

    from edge_runtime.classify.classifier import Classifier
    from edge_runtime.live.records import Sink


@dataclass(frozen=True)
class WatchOptions:
    """The options of `edge-run watch`, as its help describes them."""

    bundle: str
    json: bool
    csv: bool
    model: ModelOptions
    stream: StreamOptions
    sinks: SinkOptions
    drift: DriftOptions
    keep: KeepOptions


def add_parser(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the subcommand."""
    command = commands.add_parser(
        "watch",
        help="classify the frames of a camera or a video",
        description="Classify the frames of a source and print which classes enter and leave. A camera that stalls is "
        "reopened.",
        example="edge-run watch bundle --source 0",
    )
    command.add_argument("bundle", metavar="BUNDLE", help="folder that edge-export wrote")
    command.add_argument("--source", required=True, metavar="S", help=SOURCES)
    add_model_options(command)
    form = command.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object a line for each frame and event")
    form.add_argument("--csv", action="store_true", help="print one CSV row for each frame and event")
    add_stream_options(command)
    add_sink_options(command)
    add_drift_options(command)
    add_keep_options(command)
    set_action(command, WatchOptions, watch)


def watch(options: WatchOptions) -> int:
    """Run the live loop; return 1 if an image of a file source could not be read."""
    with results_stream() as results:
        return _watch(options, results)


def _watch(options: WatchOptions, results: TextIO) -> int:
    source = source_from(options.stream)
    follower = follower_of(options.bundle, options.stream.roi)
    classifier = open_classifier(options.bundle, options.model)
    drift = drift_from(options.drift, classifier.bundle) if source.live else None
    keeper = keeper_from(options.keep, classifier, source, options.stream.roi)
    sinks = [_console(options, results, live=source.live), *sinks_from(options.sinks, source.name, options.bundle)]
    on_frame = [*([follower.on_frame] if follower else []), *([keeper.offer] if keeper else [])]
    try:
        with stop_on_signals() as stop:
            stream = stream_from(options.stream, source, classifier, sinks, stop=stop, on_frame=on_frame, drift=drift)
            ready()

            def switch(new: Classifier) -> None:
                """Continue with another model."""
                switch_parts(new, keeper, drift)
                stream.switch(new, rules_for(options.stream, new))

            with following(follower, lambda: open_classifier(options.bundle, options.model), switch):
                tally = stream.run()
            report_end(source, tally)
    finally:
        stopping()
        close_all([*sinks, *([keeper] if keeper else [])])
        if drift:
            drift.close()
    return FAILURE if tally.unreadable and not source.live else SUCCESS


def _console(options: WatchOptions, results: TextIO, *, live: bool) -> Sink:
    """Return the sink for the results; of a camera, lines are dropped if the reader is too slow."""
    from edge_runtime.live.sinks.console import Console, Csv, DirectLines, Json, Text
    from edge_runtime.live.sinks.lines import QueuedLines

    form = Json() if options.json else Csv() if options.csv else Text()
    return Console(form, QueuedLines(results) if live else DirectLines(results))
