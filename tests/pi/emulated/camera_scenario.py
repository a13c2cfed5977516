"""Run edge-run with a camera in an emulated machine under systemd, and check what it reports."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import av
import numpy as np
from PIL import Image

from emulated.bundles import cnn_bundle
from emulated.faults import ERROR_IGNORED, copy_with_fault
from emulated.inputs import GUEST_SCRIPTS, PROJECT
from emulated.kernel import VIVID
from emulated.machine import boot, disk_image
from emulated.photographs import CAMERA, draw
from emulated.targets import BOOKWORM

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from emulated.inputs import DeviceInputs
    from emulated.machine import Console

MACHINE = replace(BOOKWORM, packages=("v4l-utils", "systemd"))
LIMIT_S = 600.0  # on an idle machine it takes two minutes
SHOWN = ("red", "blue")
FRAMES = 8  # of a photograph, with different noise; the camera repeats them in turn
INIT = "/lib/systemd/systemd"
# Files that Debian's installer writes. The service runs as a user of its own, in the group that owns cameras.
ACCOUNTS = {
    "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
    "/etc/group": "root:x:0:\ntty:x:5:\nvideo:x:44:\nsystemd-journal:x:101:\nnogroup:x:65534:\n",
    "/etc/machine-id": "0123456789abcdef0123456789abcdef\n",
}
SCENARIO_UNIT = """\
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
TARGET = "[Unit]\nRequires=scenario.service\nAfter=scenario.service\nAllowIsolate=yes\n"
# Units that start before the service and are not needed without a network, a log-in, a clock and a second boot.
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


class ScenarioResult(NamedTuple):
    """The result of the camera scenario.

    Attributes:
        console: the console of the machine.
        reports: the report of guest/camera.py for each step.
        shown: the label of each photograph, by its path in the machine without the extension.

    """

    console: Console
    reports: Mapping[str, Any]
    shown: Mapping[str, str]


def run_camera_scenario(inputs: DeviceInputs) -> ScenarioResult:
    """Boot the machine, run the scenario and return its result."""
    folder = inputs.fresh_folder("camera-scenario")
    photographs = folder / "photographs"
    photographs.mkdir()
    shown = _write_photographs(photographs)
    files: dict[str, Path | str] = {
        **ACCOUNTS,
        **{f"/etc/systemd/system/{unit}": "" for unit in MASKED},  # an empty file masks a unit
        "/etc/systemd/system/scenario.service": SCENARIO_UNIT.format(photographs=" ".join(shown)),
        "/etc/systemd/system/default.target": TARGET,
        "/guest/vivid.options": VIVID,
        "/guest/camera.py": GUEST_SCRIPTS / "camera.py",
        "/guest/bundle": cnn_bundle(PROJECT),
        "/guest/faulty": copy_with_fault(inputs.runtime, folder / "faulty", ERROR_IGNORED),
        "/guest/photographs": photographs,
    }
    sites = [inputs.installed(MACHINE, ["camera", "serve"]), inputs.runtime]
    image = disk_image(folder / "disk.ext4", MACHINE, sites, files)
    console = boot(MACHINE, image, INIT, limit_s=LIMIT_S)
    image.unlink()
    (folder / "console.log").write_text(console.text(), encoding="utf-8")
    return ScenarioResult(console, dict(_reports(console)), shown)


def recovery_problems(summary: Sequence[str], label: str) -> Iterator[str]:
    """Yield what is wrong after a stream error; expected are the event "lost", then "recovered", then the label."""
    events = [line for line in summary if line in {"stalled", "lost", "recovered"}]
    if events[:1] != ["lost"]:
        yield f"the error of the camera was not reported as lost: {summary}"
    if "recovered" not in events or summary[-1:] != [label]:
        yield f"the return of the camera or its picture was not reported: {summary}"


def _write_photographs(folder: Path) -> dict[str, str]:
    """Write each photograph as a JPEG and as raw planes for the camera; return the colours by path."""
    random = np.random.default_rng(4)
    for color in SHOWN:
        picture = draw(color, CAMERA, random)
        picture.save(folder / f"{color}.jpg", quality=95)
        (folder / f"{color}.yuv").write_bytes(b"".join(_planes(_noisy(picture, random)) for _ in range(FRAMES)))
    return {f"/guest/photographs/{color}": color for color in SHOWN}


def _noisy(picture: Image.Image, random: np.random.Generator) -> Image.Image:
    """Return a picture with the noise of a sensor, without which a camera repeats an old picture."""
    pixels = np.asarray(picture, np.int16)
    return Image.fromarray(np.clip(pixels + random.integers(-2, 3, pixels.shape), 0, 255).astype(np.uint8))


def _planes(picture: Image.Image) -> bytes:
    """Return a picture as YUV 4:2:0 planes, as a camera sends it."""
    return av.VideoFrame.from_image(picture).reformat(format="yuv420p").to_ndarray().tobytes()


def _reports(console: Console) -> Iterator[tuple[str, Any]]:
    for _, line in console.lines:
        if "REPORT " in line:
            report = json.loads(line.partition("REPORT ")[2])
            yield report.pop("step"), report
