"""Report on stderr which frames were not classified, with the reason, and that a file has ended."""

from __future__ import annotations

import math
import sys
import time
from typing import TYPE_CHECKING

from edge_runtime.errors import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge_runtime.errors import SourceError
    from edge_runtime.live.freshness import Skip
    from edge_runtime.live.hooks import Tally
    from edge_runtime.live.records import Frame, Source

REPORT_EVERY_S = 60.0  # a camera that sends only damaged frames would fill a disk with log lines


def unreadable_reporter(source: Source) -> Callable[[Frame, SourceError], None]:
    """Return a function that reports frames that could not be decoded on stderr.

    Of a file every frame is reported; of a camera one a minute, with the number of those not reported.
    """
    last_s, unreported = -math.inf, 0

    def report(frame: Frame, problem: SourceError) -> None:
        """Print a line, unless one was printed recently."""
        nonlocal last_s, unreported
        if source.live and time.monotonic() - last_s < REPORT_EVERY_S:
            unreported += 1
            return
        before = f" ({unreported} others before it)" if unreported else ""
        last_s, unreported = time.monotonic(), 0
        where = f"edge-run: {frame.source}: frame {frame.number} skipped{before}"
        print(f"{where}: {one_line(problem)}", file=sys.stderr)

    return report


def skipped_reporter(source: Source) -> Callable[[Mapping[Skip, int]], None]:
    """Return a function that reports on stderr, once a minute, how many damaged or late frames were not classified.

    Repeated frames are not reported: many cameras send each picture several times. `report_end` counts them.
    """
    last_s, reported = -math.inf, 0

    def report(skipped: Mapping[Skip, int]) -> None:
        """Print a line if there are new damaged or late frames, unless one was printed recently."""
        nonlocal last_s, reported
        notable = {skip: count for skip, count in skipped.items() if skip.kind != "repeated"}
        total = sum(notable.values())
        if total == reported or time.monotonic() - last_s < REPORT_EVERY_S:
            return
        last_s, reported = time.monotonic(), total
        print(f"edge-run: {source.name}: frames skipped so far: {_listed(notable)}", file=sys.stderr, flush=True)

    return report


def report_end(source: Source, tally: Tally) -> None:
    """Print on stderr that a video has ended, and which frames were not classified, if there are any."""
    from edge_runtime.live.sources.video import Video

    if isinstance(source, Video) and tally.has_ended:
        print(f"edge-run: {source.name}: ended after {tally.predictions} frames", file=sys.stderr, flush=True)
    if tally.skipped:
        print(f"edge-run: {source.name}: frames skipped: {_listed(tally.skipped)}", file=sys.stderr, flush=True)


def _listed(skipped: Mapping[Skip, int]) -> str:
    return ", ".join(f"{count} {skip}" for skip, count in sorted(skipped.items(), key=lambda item: -item[1]))
