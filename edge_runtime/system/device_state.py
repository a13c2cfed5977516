"""The state of the device: temperature, throttling, frequency governor. None means unknown.

Standard library only.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

THERMAL = Path("/sys/class/thermal")
GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
VCGENCMD_S = 2.0
# https://www.raspberrypi.com/documentation/computers/os.html#get_throttled
NOW_BITS = {0: "under-voltage", 1: "frequency capped", 2: "throttled", 3: "soft temperature limit"}
PAST_SHIFT = 16  # the same four, since the last boot


class Throttling(NamedTuple):
    """What slows the processor down now, and what did since the device started; empty if nothing."""

    now: tuple[str, ...]
    since_boot: tuple[str, ...]


def temperature_c(folder: Path = THERMAL) -> float | None:
    """Return the temperature of the hottest thermal zone in degrees Celsius."""
    readings = [_millidegrees(path) for path in folder.glob("thermal_zone*/temp")]
    known = [reading / 1000 for reading in readings if reading is not None]
    return max(known, default=None)


def governor(path: Path = GOVERNOR) -> str | None:
    """Return the name of the frequency governor; None if the system has none, as in a virtual machine."""
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return None


def processor() -> str:
    """Return this device's processor and how many of its cores may be used."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    found = re.search(r"^(?:Model|model name)\s*:\s*(.+)$", text, re.MULTILINE)
    name = found[1].strip() if found else os.uname().machine
    return f"{name}, {len(os.sched_getaffinity(0))} cores"


def throttling() -> Throttling | None:
    """Ask the Raspberry Pi's firmware; return None on other devices."""
    program = shutil.which("vcgencmd")
    if program is None:
        return None
    try:
        answer = subprocess.run(
            [program, "get_throttled"], capture_output=True, text=True, timeout=VCGENCMD_S, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_throttled(answer)


def parse_throttled(answer: str) -> Throttling | None:
    """Parse the output of `vcgencmd get_throttled`, such as `throttled=0x50005`."""
    found = re.fullmatch(r"throttled=0x([0-9a-fA-F]+)", answer.strip())
    if found is None:
        return None
    bits = int(found[1], 16)
    now, since_boot = (
        tuple(name for bit, name in NOW_BITS.items() if bits >> shift >> bit & 1) for shift in (0, PAST_SHIFT)
    )
    return Throttling(now, since_boot)


def _millidegrees(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
