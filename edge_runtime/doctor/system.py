"""Check the operating system and the processor: bitness, C library, memory, disk space, temperature, time."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.doctor.finding import Finding
from edge_runtime.system.device_state import Throttling, temperature_c, throttling

if TYPE_CHECKING:
    from collections.abc import Iterator

MEGABYTE = 1_000_000
MIN_SPACE, LOW_SPACE = 200 * MEGABYTE, 1000 * MEGABYTE
LOW_MEMORY = 150 * MEGABYTE
HOT_C = 80.0  # a Raspberry Pi starts to reduce its clock frequency here
MIN_GLIBC = (2, 27)  # required by LiteRT's wheels
MIN_YEAR = 2025  # an earlier time means that the clock was never set
TIMEDATECTL_TIMEOUT_S = 5.0
# Instructions that make integer arithmetic fast, by their names in /proc/cpuinfo.
FAST_INTEGERS = {"asimddp": "dot product", "i8mm": "int8 matrix", "avx2": "AVX2", "avx512_vnni": "AVX-512 VNNI"}


def check_system() -> Iterator[Finding]:
    """Check the operating system and the processor of this device."""
    yield bitness(os.uname().machine, struct.calcsize("P") * 8)
    yield c_library(_glibc())
    yield processor(_read("/proc/cpuinfo"), len(os.sched_getaffinity(0)))
    yield memory(_read("/proc/meminfo"))
    yield space(Path.cwd())
    yield heat(temperature_c(), throttling())
    yield clock(time.gmtime().tm_year, synchronized=_synchronized())


def bitness(machine: str, bits: int) -> Finding:
    """Check for a 32-bit system, for which there is no build of LiteRT."""
    says = f"{machine}, {bits}-bit programs"
    if bits == 64:
        return Finding("system", "ok", says)
    if machine in {"aarch64", "x86_64"}:
        return Finding("system", "warning", f"{says} on a 64-bit processor", "install the 64-bit Raspberry Pi OS")
    return Finding("system", "warning", f"{says}: LiteRT has no build for it", "pip install 'edgewise[tflite-runtime]'")


def c_library(version: str | None) -> Finding:
    """Check the version of glibc, such as "glibc 2.36"; None means another C library."""
    found = re.search(r"(\d+)\.(\d+)", version or "")
    if found is None:
        return Finding(
            "C library",
            "broken",
            "not glibc: the runtimes have no builds for another C library",
            "use Debian or Ubuntu",
        )
    if (int(found[1]), int(found[2])) < MIN_GLIBC:
        required = ".".join(map(str, MIN_GLIBC))
        fix = "sudo apt full-upgrade  # to Debian 12"
        return Finding("C library", "broken", f"{version}, older than {required}", fix)
    return Finding("C library", "ok", str(version))


def processor(cpuinfo: str, cores: int) -> Finding:
    """Report the processor, the usable cores, and its instructions for fast int8 arithmetic, from /proc/cpuinfo."""
    model = re.search(r"^(?:model name|Model)\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    has = set(flags[1].split()) if flags else set()
    fast = [text for flag, text in FAST_INTEGERS.items() if flag in has]
    name = model[1].strip() if model else "unknown model"
    return Finding("processor", "ok", f"{name}, {cores} cores, int8 instructions: {', '.join(fast) or 'none'}")


def memory(meminfo: str) -> Finding:
    """Check the free memory, from /proc/meminfo."""
    found = re.search(r"^MemAvailable:\s*(\d+) kB$", meminfo, re.MULTILINE)
    if found is None:
        return Finding("memory", "note", "the free memory is unknown", "free -m")
    free = int(found[1]) * 1024
    says = f"{free // MEGABYTE} MB free"
    if free < LOW_MEMORY:
        return Finding("memory", "warning", says, "ps aux --sort -rss | head  # stop what is not needed")
    return Finding("memory", "ok", says)


def space(folder: Path) -> Finding:
    """Check the free space of the file system that contains a folder."""
    free = shutil.disk_usage(folder).free
    says = f"{free // MEGABYTE:,} MB free at {folder}"
    if free < LOW_SPACE:
        fix = "sudo apt clean && sudo journalctl --vacuum-size=50M"
        return Finding("space", "broken" if free < MIN_SPACE else "warning", says, fix)
    return Finding("space", "ok", says)


def heat(celsius: float | None, throttled: Throttling | None) -> Finding:
    """Check the temperature and the throttling of the processor."""
    says = "temperature unknown" if celsius is None else f"{celsius:.0f} °C"
    cool = "add a heat sink or a fan"
    if throttled and throttled.now:
        fix = "use the official power supply and cable" if "under-voltage" in throttled.now else cool
        return Finding("heat and power", "broken", f"{says}, now: {', '.join(throttled.now)}", fix)
    if throttled and throttled.since_boot:
        past = f"{says}, since boot: {', '.join(throttled.since_boot)}"
        return Finding("heat and power", "warning", past, "vcgencmd get_throttled  # again under load")
    if celsius is not None and celsius >= HOT_C:
        return Finding("heat and power", "warning", says, cool)
    return Finding("heat and power", "ok", says)


def clock(year: int, *, synchronized: bool | None) -> Finding:
    """Check the clock, from which events get their time."""
    fix = "sudo timedatectl set-ntp true"
    if year < MIN_YEAR:
        return Finding("clock", "broken", f"it shows the year {year}", fix)
    if synchronized is False:
        return Finding("clock", "warning", "not synchronized, so events may have a wrong time", fix)
    return Finding("clock", "ok", "synchronized" if synchronized else "set; synchronization unknown")


def _glibc() -> str | None:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION")
    except (ValueError, OSError):
        return None


def _synchronized() -> bool | None:
    program = shutil.which("timedatectl")
    if program is None:
        return None
    command = [program, "show", "--property=NTPSynchronized", "--value"]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEDATECTL_TIMEOUT_S, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    return {"yes": True, "no": False}.get(answer.strip())


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
