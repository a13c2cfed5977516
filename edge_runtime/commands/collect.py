"""edge-run collect: collect labelled pictures of a camera, on a page or at regular intervals."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from edge_runtime.command_line.background import in_background
from edge_runtime.command_line.numbers import byte_size, positive_float, positive_int
from edge_runtime.command_line.runner import SUCCESS, UsageError, set_action
from edge_runtime.command_line.signals import stop_on_signals
from edge_runtime.commands.options.access import AccessOptions, add_access_options, report_address, require_server
from edge_runtime.commands.options.keep import add_free
from edge_runtime.commands.options.labels import add_labels_option, label
from edge_runtime.commands.options.model import ModelOptions, add_model_options, open_classifier
from edge_runtime.commands.options.stream import (
    SOURCES,
    add_mount,
    add_patience,
    add_roi,
    open_named_source,
)

if TYPE_CHECKING:
    from edge_runtime.classify.classifier import Classifier
    from edge_runtime.collection.collector import Collector
    from edge_runtime.image.upright import Mount
    from edge_runtime.live.capture import Patience
    from edge_runtime.live.records import Source
    from edge_runtime.web.labelling.camera import CameraView

BUDGET, EVERY_S = "10GB", 5.0


@dataclass(frozen=True)
class CollectOptions:
    """The options of `edge-run collect`, as its help describes them."""

    folder: Path
    source: str
    labels: tuple[str, ...]
    label: str | None
    every: float | None
    count: int | None
    bundle: str | None
    budget: int
    free: int
    title: str | None
    rotate: Literal[0, 90, 180, 270]
    flip: Literal["horizontal", "vertical"] | None
    roi: tuple[int, int, int, int] | None
    fps: float | None
    stall_timeout: float
    give_up: float
    access: AccessOptions
    model: ModelOptions


def add_parser(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the subcommand."""
    command = commands.add_parser(
        "collect",
        help="collect labelled pictures of a camera, for training",
        description="Serve a page with the live picture and a button for each class, and store the pictures in one "
        "folder for each class. With --label, store a picture every few seconds, without a page.",
        example="edge-run collect photos --source 0 --labels cat,dog,nothing",
    )
    command.add_argument("folder", metavar="OUT", type=Path, help="folder of the class folders, which may exist")
    command.add_argument("--source", required=True, metavar="S", help=SOURCES)
    add_labels_option(command, "without them, those that have a folder in OUT, or the bundle's")
    group = command.add_argument_group("without a page")
    group.add_argument("--label", type=label, metavar="A", help="store pictures of this class, without a page")
    group.add_argument("--every", type=positive_float, metavar="S", help=f"seconds between them (default: {EVERY_S:g})")
    group.add_argument("--count", type=positive_int, metavar="N", help="stop after N pictures")
    group = command.add_argument_group("what is stored")
    add_mount(group)
    add_roi(group, "store only this region of the picture, in pixels")
    group.add_argument("--budget", type=byte_size, default=byte_size(BUDGET), metavar="SIZE", help=f"default: {BUDGET}")
    add_free(group, "--free")
    group.add_argument("--fps", type=positive_float, metavar="F", help="frames per second of a snapshot address")
    add_patience(command)
    group = command.add_argument_group("a model that guesses")
    group.add_argument("--bundle", help="show what this bundle's model says about the live picture")
    add_model_options(command)
    add_access_options(command).add_argument("--title", help="title of the page (default: the source's name)")
    set_action(command, CollectOptions, collect)


def collect(options: CollectOptions) -> int:
    """Collect until a signal stops the command, or, without a page, the pictures are stored."""
    if options.label is None and (options.every is not None or options.count is not None):
        raise UsageError("--every and --count need --label")
    return _collect_on_page(options) if options.label is None else _collect_at_intervals(options, options.label)


def _open_collector(options: CollectOptions, labels: tuple[str, ...]) -> Collector:
    from edge_runtime.collection.collector import CollectLimits, Collector

    return Collector(options.folder, labels, CollectLimits(options.budget, options.free), roi=options.roi)


def _open_source(options: CollectOptions) -> Source:
    return open_named_source(options.source, fps=options.fps, timeout_s=2 * options.stall_timeout)


def _collect_at_intervals(options: CollectOptions, chosen: str) -> int:
    """Store a picture every few seconds, and print its path."""
    from edge_runtime.collection.intervals import collect_at_intervals

    source = _open_source(options)
    collector = _open_collector(options, (chosen,))
    with stop_on_signals() as stop:
        pictures = collect_at_intervals(
            source,
            collector,
            chosen,
            every_s=options.every or EVERY_S,
            mount=_mount(options),
            patience=_patience(options),
            stop=stop,
            report=lambda text: print(f"edge-run: {source.name}: {text}", file=sys.stderr, flush=True),
        )
        for stored, picture in enumerate(pictures, start=1):
            print(options.folder / picture.label / picture.name, flush=True)
            if stored == options.count:
                break
    repeated = f", {collector.repeated} near-repeats were not stored" if collector.repeated else ""
    print(f"edge-run: {options.folder}: {collector.counts()[chosen]} pictures of {chosen}{repeated}", file=sys.stderr)
    return SUCCESS


def _collect_on_page(options: CollectOptions) -> int:
    """Serve the page in this thread while the camera is read in another."""
    require_server("collect")
    from edge_runtime.collection.names import folder_labels
    from edge_runtime.collection.store import label_folders
    from edge_runtime.errors import SourceError
    from edge_runtime.web.labelling.apps import build_collect_app
    from edge_runtime.web.labelling.camera import CameraView
    from edge_runtime.web.labelling.collect_routes import CollectSite
    from edge_runtime.web.protection.access import is_loopback
    from edge_runtime.web.server import run_app

    token, public_url = options.access.token(), options.access.parsed_public_url()
    source = _open_source(options)
    if not source.live:
        raise SourceError(f"{source.name}: the page needs a camera; with --label, a video or a folder can be read")
    classifier = open_classifier(options.bundle, options.model) if options.bundle else None
    labels = options.labels
    if not labels and classifier and not label_folders(options.folder):
        labels = folder_labels(classifier.spec.labels)
    collector = _open_collector(options, labels)
    view, stop = CameraView(), threading.Event()
    site = CollectSite(collector, view, token, options.title or source.name, options.roi)
    with in_background(partial(_follow, options, source, classifier, view, stop), stop):
        run_app(
            build_collect_app(site, loopback=is_loopback(options.access.host), public_url=public_url),
            host=options.access.host,
            port=options.access.port,
            behind_proxy=public_url is not None,
            stop=stop,
            on_ready=report_address,
        )
    return SUCCESS


def _follow(
    options: CollectOptions, source: Source, classifier: Classifier | None, view: CameraView, stop: threading.Event
) -> None:
    """Pass the camera's frames on to the view until `stop` is set; with a model, each with its guess."""
    from edge_runtime.live.hooks import Hooks
    from edge_runtime.live.preparation import Selection
    from edge_runtime.live.stream import Stream
    from edge_runtime.web.labelling.camera import EventView, follow

    mount, patience = _mount(options), _patience(options)
    if classifier is None:
        follow(source, view, mount, patience, stop)
        return
    Stream(
        source,
        classifier,
        [EventView(view)],
        selection=Selection(roi=options.roi, mount=mount),
        patience=patience,
        stop=stop,
        hooks=Hooks(on_frame=view.update),
    ).run()


def _mount(options: CollectOptions) -> Mount:
    from edge_runtime.image.upright import Mount

    return Mount(options.rotate, options.flip or "")


def _patience(options: CollectOptions) -> Patience:
    from edge_runtime.live.capture import Patience

    return Patience(options.stall_timeout, options.give_up)
