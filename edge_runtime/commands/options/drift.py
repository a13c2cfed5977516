"""The options about drift: whether what the camera sees is compared with the training photographs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from edge_runtime.live.drifting import DriftWatch
    from edge_runtime.model.bundle import Bundle


@dataclass(frozen=True)
class DriftOptions:
    """Whether drift is reported, and the file that keeps the state; None keeps it only in memory."""

    drift: bool
    drift_state: Path | None


def add_drift_options(command: argparse.ArgumentParser) -> None:
    """Add the options of DriftOptions."""
    group = command.add_argument_group(
        "drift", "Events report when the camera sees something else than the training photographs showed."
    )
    group.add_argument("--no-drift", dest="drift", action="store_false", help="do not compare")
    group.add_argument(
        "--drift-state", type=Path, metavar="FILE", help="keep what this camera usually sees, for the next start"
    )


def drift_from(options: DriftOptions, bundle: Bundle) -> DriftWatch | None:
    """Return what compares the pictures with a bundle's training photographs; None if it is off or not possible.

    Raises:
        BundleError: the bundle's baseline is damaged, or it has none although a file for the state is given.

    """
    if not options.drift:
        return None
    from edge_runtime.drift.baseline import BASELINE_NAME, read_baseline
    from edge_runtime.drift.monitor import Monitor
    from edge_runtime.drift.state_file import StateFile
    from edge_runtime.errors import BundleError
    from edge_runtime.live.drifting import DriftWatch

    baseline = read_baseline(bundle)
    if baseline is None:
        if options.drift_state:
            raise BundleError(
                f"{bundle.folder}: contains no {BASELINE_NAME}, which --drift-state needs; train and export again"
            )
        return None
    state = StateFile(options.drift_state) if options.drift_state else None
    return DriftWatch(Monitor(baseline), min_familiarity=bundle.spec.min_familiarity, state=state)


def switch_drift(watch: DriftWatch, bundle: Bundle) -> None:
    """Compare with the training of another bundle, if it says how its photographs looked. Raise BundleError."""
    from edge_runtime.drift.baseline import read_baseline
    from edge_runtime.drift.monitor import Monitor

    baseline = read_baseline(bundle)
    if baseline is not None:
        watch.switch(Monitor(baseline), bundle.spec.min_familiarity)
