"""edge-run doctor: find problems of this device and print the command that fixes each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge_runtime.command_line.runner import FAILURE, SUCCESS, set_action

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge_runtime.doctor.finding import Finding

MARKS = {"ok": "ok     ", "note": "note   ", "warning": "warning", "broken": "BROKEN "}


@dataclass(frozen=True)
class DoctorOptions:
    """The options of `edge-run doctor`, as its help describes them."""

    json: bool


def add_parser(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the subcommand."""
    command = commands.add_parser(
        "doctor",
        help="find problems of this device",
        description="Check the system, the libraries and the cameras, and print how to fix each problem. The exit code "
        "is 1 when something is broken.",
        example="edge-run doctor",
    )
    command.add_argument("--json", action="store_true", help="print one JSON object for each finding")
    set_action(command, DoctorOptions, doctor)


def doctor(options: DoctorOptions) -> int:
    """Print every finding; return 1 if something is broken."""
    broken = False
    for finding in _findings():
        broken = broken or finding.state == "broken"
        print(json.dumps(finding._asdict()) if options.json else _line(finding), flush=True)
    return FAILURE if broken else SUCCESS


def _findings() -> Iterable[Finding]:
    from edge_runtime.doctor.cameras import check_cameras
    from edge_runtime.doctor.libraries import check_libraries
    from edge_runtime.doctor.system import check_system

    yield from check_system()
    yield from check_libraries()
    yield from check_cameras()


def _line(finding: Finding) -> str:
    line = f"{MARKS[finding.state]}  {finding.check:15} {finding.says}".rstrip()
    return f"{line}\n{'':9}fix: {finding.fix}" if finding.fix else line
