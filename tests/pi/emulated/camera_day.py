"""A day of a camera in an emulated machine that systemd runs, and whether the runtime kept its promises."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import av
import numpy as np

from emulated.bundles import cnn_bundle
from emulated.faults import ERROR_IGNORED, sabotaged
from emulated.given import GUEST_SCRIPTS, PROJECT
from emulated.kernel import VIVID
from emulated.machine import boot, disk_image
from emulated.photographs import CAMERA, draw
from emulated.targets import BOOKWORM

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from PIL import Image

    from emulated.given import Given
    from emulated.machine import Console

MACHINE = replace(BOOKWORM, packages=("v4l-utils", "systemd"))
LIMIT_S = 600.0  # on an idle machine it takes two minutes
SHOWN = ("red", "blue")
INIT = "/lib/systemd/systemd"
# Debian's installer makes these; a service gets a user of its own and the group that owns cameras.
ACCOUNTS = {
    "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
    "/etc/group": "root:x:0:\ntty:x:5:\nvideo:x:44:\nsystemd-journal:x:101:\nnogroup:x:65534:\n",
    "/etc/machine-id": "0123456789abcdef0123456789abcdef\n",
}
DAY = """\
[Unit]
DefaultDependencies=no

[Service]
Type=oneshot
Environment=PATH=/usr/bin:/bin:/usr/sbin:/sbin HOME=/root PYTHONFAULTHANDLER=1
ExecStart=/usr/bin/python3 /guest/camera.py /guest/bundle /guest/faulty {photographs}
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyAMA0
"""
TARGET = "[Unit]\nRequires=day.service\nAfter=day.service\nAllowIsolate=yes\n"
# What a machine without network, log-in, clock and tomorrow can do without; it would start before the service does.
MASKED = (
    "dev-hugepages.mount",
    "dev-mqueue.mount",
    "getty.target",
    "modprobe@.service",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "systemd-ask-password-console.path",
    "systemd-journal-flush.service",
    "systemd-modules-load.service",
    "systemd-networkd.service",
    "systemd-random-seed.service",
    "systemd-resolved.service",
    "systemd-sysctl.service",
    "systemd-sysusers.service",
    "systemd-timesyncd.service",
    "systemd-tmpfiles-setup.service",
    "systemd-update-utmp.service",
)


class CameraDay(NamedTuple):
    """What came of it.

    Attributes:
        console: what the machine said.
        reports: by step, what guest/camera.py told.
        shown: each photograph's name in the machine, with what it shows.

    """

    console: Console
    reports: Mapping[str, Any]
    shown: Mapping[str, str]


def camera_day(given: Given) -> CameraDay:
    """Boot the machine and let it go through the day."""
    folder = given.fresh_folder("camera-day")
    photographs = folder / "photographs"
    photographs.mkdir()
    shown = _write_photographs(photographs)
    files: dict[str, Path | str] = {
        **ACCOUNTS,
        **{f"/etc/systemd/system/{unit}": "" for unit in MASKED},  # an empty file masks
        "/etc/systemd/system/day.service": DAY.format(photographs=" ".join(shown)),
        "/etc/systemd/system/default.target": TARGET,
        "/guest/vivid.options": VIVID,
        "/guest/camera.py": GUEST_SCRIPTS / "camera.py",
        "/guest/bundle": cnn_bundle(PROJECT),
        "/guest/faulty": sabotaged(given.runtime, folder / "faulty", ERROR_IGNORED),
        "/guest/photographs": photographs,
    }
    sites = [given.installed(MACHINE, ["camera", "serve"]), given.runtime]
    image = disk_image(folder / "disk.ext4", MACHINE, sites, files)
    console = boot(MACHINE, image, INIT, limit_s=LIMIT_S)
    image.unlink()
    (folder / "console.log").write_text(console.text(), encoding="utf-8")
    return CameraDay(console, dict(_reports(console)), shown)


def broken_promises(told: Sequence[str], label: str) -> Iterator[str]:
    """Judge what was told from a stream error on: a loss, and then the picture again, both without delay."""
    events = [line for line in told if line in {"stalled", "lost", "recovered"}]
    if events[:1] != ["lost"]:
        yield f"the camera's error was not told as a loss: {told}"
    if "recovered" not in events or told[-1:] != [label]:
        yield f"the camera's return was not told, or not what it shows: {told}"


def _write_photographs(folder: Path) -> dict[str, str]:
    """Write two pictures as files and as the camera gets them; give their names with their colours."""
    random = np.random.default_rng(4)
    for color in SHOWN:
        picture = draw(color, CAMERA, random)
        picture.save(folder / f"{color}.jpg", quality=95)
        (folder / f"{color}.yuv").write_bytes(_planes(picture))
    return {f"/guest/photographs/{color}": color for color in SHOWN}


def _planes(picture: Image.Image) -> bytes:
    """Give a picture as a camera does: brightness and two halved planes of colour."""
    return av.VideoFrame.from_image(picture).reformat(format="yuv420p").to_ndarray().tobytes()


def _reports(console: Console) -> Iterator[tuple[str, Any]]:
    for _, line in console.lines:
        if "REPORT " in line:
            report = json.loads(line.partition("REPORT ")[2])
            yield report.pop("step"), report
