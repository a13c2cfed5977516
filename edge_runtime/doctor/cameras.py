"""Check the cameras: devices, access rights, and the Raspberry Pi's own camera software."""

from __future__ import annotations

import getpass
import grp
import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

DEVICES = Path("/dev")
MODEL = Path("/proc/device-tree/model")
NAMES = Path("/sys/class/video4linux")


def check_cameras() -> Iterator[Finding]:
    """Check all cameras of this device."""
    yield from video_devices(DEVICES, NAMES)
    if is_raspberry_pi(MODEL):
        yield pi_camera(installed=find_spec("picamera2") is not None)


def video_devices(devices: Path, names: Path) -> Iterator[Finding]:
    """Check each V4L2 device; on a Raspberry Pi many of them are not cameras."""
    found = sorted(devices.glob("video[0-9]*"), key=lambda path: int(path.name[5:]) if path.name[5:].isdigit() else 0)
    if not found:
        yield Finding("cameras", "note", "no /dev/video*", "connect a USB camera, then: ls /dev/video*")
    locked = [path for path in found if not os.access(path, os.R_OK | os.W_OK)]
    if locked:
        yield _locked(locked)
    for path in found:
        if path not in locked:
            yield Finding("cameras", "ok", f"{path} {_name(path, names)}")


def pi_camera(*, installed: bool) -> Finding:
    """Check whether this Python can use the Raspberry Pi's camera."""
    if installed:
        return Finding("picamera2", "ok", "installed")
    fix = "sudo apt install python3-picamera2 && python3 -m venv --system-site-packages .venv"
    return Finding("picamera2", "note", "not seen by this Python; it is for the Raspberry Pi's camera", fix)


def is_raspberry_pi(model: Path) -> bool:
    """Return whether this is a Raspberry Pi, from the device tree."""
    try:
        return b"Raspberry Pi" in model.read_bytes()
    except OSError:
        return False


def _locked(paths: list[Path]) -> Finding:
    group = _group(paths[0])
    user = getpass.getuser()
    says = f"{', '.join(map(str, paths))}: {user} may not open it"
    if group in _groups_of(user):  # a login session keeps the groups that it started with
        return Finding(
            "cameras", "broken", f"{says} yet, although in group {group}", "log out and in again, or: sudo reboot"
        )
    return Finding("cameras", "broken", says, f"sudo usermod -aG {group} {user} && sudo reboot")


def _group(path: Path) -> str:
    try:
        return grp.getgrgid(path.stat().st_gid).gr_name
    except (KeyError, OSError):
        return "video"


def _groups_of(user: str) -> set[str]:
    return {group.gr_name for group in grp.getgrall() if user in group.gr_mem}


def _name(path: Path, names: Path) -> str:
    try:
        return f"({(names / path.name / 'name').read_text(encoding='utf-8', errors='replace').strip()})"
    except OSError:
        return ""
