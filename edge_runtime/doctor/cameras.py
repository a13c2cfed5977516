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
BOARD_MODEL = Path("/proc/device-tree/model")
V4L2_CLASS = Path("/sys/class/video4linux")  # contains each device's name


def check_cameras() -> Iterator[Finding]:
    """Check all cameras of this device."""
    yield from video_devices(DEVICES, V4L2_CLASS)
    if is_raspberry_pi(BOARD_MODEL):
        yield pi_camera(installed=find_spec("picamera2") is not None)


def video_devices(devices: Path, v4l2_class: Path) -> Iterator[Finding]:
    """Check each V4L2 device; on a Raspberry Pi many of them are not cameras."""
    found = sorted(devices.glob("video[0-9]*"), key=lambda path: int(path.name[5:]) if path.name[5:].isdigit() else 0)
    if not found:
        yield Finding("cameras", "note", "no /dev/video*", "connect a USB camera, then: ls /dev/video*")
    denied = [path for path in found if not os.access(path, os.R_OK | os.W_OK)]
    if denied:
        yield _access_denied(denied)
    for path in found:
        if path not in denied:
            yield Finding("cameras", "ok", f"{path} {_name(path, v4l2_class)}")


def pi_camera(*, installed: bool) -> Finding:
    """Check whether this Python environment can use the Raspberry Pi's camera module."""
    if installed:
        return Finding("picamera2", "ok", "installed")
    fix = "sudo apt install python3-picamera2 && python3 -m venv --system-site-packages .venv"
    return Finding(
        "picamera2", "note", "not available in this Python environment; needed for the Raspberry Pi camera", fix
    )


def is_raspberry_pi(model: Path) -> bool:
    """Return whether this is a Raspberry Pi, from the device tree."""
    try:
        return b"Raspberry Pi" in model.read_bytes()
    except OSError:
        return False


def _access_denied(paths: list[Path]) -> Finding:
    group = _group(paths[0])
    user = getpass.getuser()
    says = f"{', '.join(map(str, paths))}: permission denied for user {user}"
    if group in _groups_of(user):  # a login session keeps the groups that it started with
        pending = f"{says}; the membership in group {group} takes effect at the next login"
        return Finding("cameras", "broken", pending, "log out and in again, or: sudo reboot")
    return Finding("cameras", "broken", says, f"sudo usermod -aG {group} {user} && sudo reboot")


def _group(path: Path) -> str:
    try:
        return grp.getgrgid(path.stat().st_gid).gr_name
    except (KeyError, OSError):
        return "video"


def _groups_of(user: str) -> set[str]:
    return {group.gr_name for group in grp.getgrall() if user in group.gr_mem}


def _name(path: Path, v4l2_class: Path) -> str:
    try:
        return f"({(v4l2_class / path.name / 'name').read_text(encoding='utf-8', errors='replace').strip()})"
    except OSError:
        return ""
