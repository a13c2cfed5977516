"""edge-run update: install the newest signed release on this device, if it proves itself here."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.command_line.numbers import duration_s, fraction, open_fraction, positive_float
from edge_runtime.command_line.runner import FAILURE, SUCCESS, set_action
from edge_runtime.errors import EdgeError, one_line

if TYPE_CHECKING:
    import argparse

    from edge_runtime.update.update import Outcome


@dataclass(frozen=True)
class UpdateOptions:
    """The options of `edge-run update`, as its help describes them."""

    repository: str
    models: Path
    channel: str
    root: Path | None
    every: float | None  # seconds
    shadow: float  # seconds
    shadow_share: float
    min_agreement: float
    probation: float  # seconds
    max_ms: float | None
    max_mb: float | None
    json: bool


def add_parser(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the subcommand."""
    command = commands.add_parser(
        "update",
        help="install the newest signed release on this device",
        description="Fetch the newest release of a channel, check its signatures, prove it on this device, and make it "
        "the current model: MODELS/current. A release that fails is refused, and the current model stays.",
        example="edge-run update --repository https://example.org/releases --models models --root root.json",
    )
    command.add_argument("--repository", metavar="URL|DIR", required=True, help="what edge-export release writes")
    command.add_argument("--models", metavar="DIR", type=Path, required=True, help="the models folder of this device")
    command.add_argument("--channel", metavar="NAME", default="stable", help="default: stable")
    command.add_argument(
        "--root", metavar="FILE", type=Path, help="root.json of the publisher; needed at the first update only"
    )
    command.add_argument(
        "--every", metavar="TIME", type=duration_s, help="stay and update again after this time, such as 1h"
    )
    command.add_argument("--json", action="store_true", help="print one JSON object for each update")
    _add_trial_options(command)
    set_action(command, UpdateOptions, update)


def _add_trial_options(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("shadow and probation")
    group.add_argument(
        "--shadow",
        metavar="TIME",
        type=_duration_or_zero,
        default=600.0,
        help="compare it with the current model on the live frames of a running edge-run watch or serve for this time "
        "first; 0 leaves it out (default: 10m)",
    )
    group.add_argument(
        "--shadow-share",
        metavar="P",
        type=open_fraction,
        default=0.1,
        help="its share of a processor (default: 0.1)",
    )
    group.add_argument(
        "--min-agreement", metavar="P", type=fraction, default=0.7, help="least agreement in it (default: 0.7)"
    )
    group.add_argument(
        "--probation",
        metavar="TIME",
        type=_duration_or_zero,
        default=3600.0,
        help="take it back if it crashes, stalls or is too slow within this time; 0 leaves it out (default: 1h)",
    )
    group = command.add_argument_group("limits")
    group.add_argument(
        "--max-ms", metavar="MS", type=positive_float, help="longest inference time (default: 1.5 times the current)"
    )
    group.add_argument(
        "--max-mb", metavar="MB", type=positive_float, help="largest memory (default: 1.5 times the current)"
    )


def update(options: UpdateOptions) -> int:
    """Update once, or again and again. Return FAILURE if the release was refused."""
    from edge_runtime.command_line.signals import stop_on_signals

    if options.every is None:
        outcome = _update_once(options)
        _show(outcome, options)
        return FAILURE if outcome.state in {"refused", "waiting"} else SUCCESS
    with stop_on_signals() as stop:
        while not stop.is_set():
            try:
                _show(_update_once(options), options)
            except EdgeError as problem:  # a network that is away must not end the service
                print(f"edge-run: {one_line(problem)}", file=sys.stderr, flush=True)
            stop.wait(options.every)
    return SUCCESS


def _update_once(options: UpdateOptions) -> Outcome:
    from edge_runtime.update.models import locked
    from edge_runtime.update.prove import Limits
    from edge_runtime.update.trial import ShadowRules
    from edge_runtime.update.update import Source, Steps, update_once

    limits = Limits(options.max_ms, None if options.max_mb is None else round(options.max_mb * 1e6))
    rules = ShadowRules(min_agreement=options.min_agreement)
    steps = Steps(options.shadow, options.shadow_share, rules, options.probation)
    with locked(options.models) as models:
        source = Source(options.repository, options.channel, options.root)
        return update_once(models, source, limits, steps, _report)


def _duration_or_zero(text: str) -> float:
    return 0.0 if text == "0" else duration_s(text)


def _report(line: str) -> None:
    print(f"edge-run: {line}", file=sys.stderr, flush=True)


def _show(outcome: Outcome, options: UpdateOptions) -> None:
    if options.json:
        release = outcome.release
        data = {
            "state": outcome.state,
            "channel": options.channel,
            "version": release.version if release else None,
            "message": outcome.message,
            "fetched_bytes": outcome.fetched_bytes,
        }
        print(json.dumps(data), flush=True)
        return
    print(outcome.message, flush=True)
    if outcome.state == "switched":
        print(f"edge-run: run it with: edge-run watch {options.models}/current", file=sys.stderr, flush=True)
