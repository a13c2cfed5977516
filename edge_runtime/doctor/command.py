"""edge-run doctor: say what is wrong with this device, and the line that mends it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from edge_runtime.command import FAILURE, SUCCESS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from edge_runtime.doctor.finding import Finding

MARKS = {"ok": "ok     ", "note": "note   ", "warning": "warning", "broken": "BROKEN "}


def add_doctor(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the command to edge-run's."""
    command = commands.add_parser(
        "doctor",
        help="find what is wrong with this device",
        description="Check the system, the libraries and the cameras; each finding comes with the line that mends it. "
        "The exit is 1 when something is broken.",
        allow_abbrev=False,
    )
    command.add_argument("--json", action="store_true", help="one JSON object a finding")
    command.set_defaults(run=_doctor)


def _doctor(args: argparse.Namespace) -> int:
    broken = False
    for finding in _findings():
        broken = broken or finding.state == "broken"
        print(json.dumps(finding._asdict()) if args.json else _line(finding), flush=True)
    return FAILURE if broken else SUCCESS


def _findings() -> Iterable[Finding]:
    from edge_runtime.doctor.cameras import check_cameras
    from edge_runtime.doctor.libraries import check_libraries
    from edge_runtime.doctor.system import check_system

    yield from check_system()
    yield from check_libraries()
    yield from check_cameras()


def _line(finding: Finding) -> str:
    told = f"{MARKS[finding.state]}  {finding.check:15} {finding.says}".rstrip()
    return f"{told}\n{'':9}mend: {finding.mend}" if finding.mend else told
