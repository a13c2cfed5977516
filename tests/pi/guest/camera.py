"""A day of a camera in an emulated machine: what edge-run makes of its pictures, its faults and its return.

It runs in the machine, under systemd, with vivid as /dev/video0, and prints lines of "REPORT {JSON}", one a step.

    python camera.py BUNDLE FAULTY PHOTOGRAPH...

FAULTY holds a runtime that ignores a camera's error. Beside PHOTOGRAPH.jpg lies PHOTOGRAPH.yuv, 640x480, 4:2:0.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CAMERA, SCREEN = "/dev/video0", "/dev/video1"
EDGE_RUN = (sys.executable, "-m", "edge_runtime.cli")
PORT = 8080
PATIENCE_S, LITTLE_PATIENCE_S = 90.0, 4.0
WATCHDOG_S, FEEDS = 10, 1
# 640x480 on both sides, in the format that FFmpeg asks for: vivid's scaling of it brings Linux 6.1 down. The rate is
# nearly vivid's lowest: at 60 frames a second sending alone keeps an emulated core busy.
TIMINGS = "--set-dv-bt-timings=cvt,width=640,height=480,fps=36"
FEW_FPS = "5"  # frames that are decided upon; as many as come would take all that the other jobs could use
SENT_FRAMES = 3
UNIT = Path("/etc/systemd/system/edgewise.service")


def report(step: str, **facts: object) -> None:
    """Tell the host."""
    print("REPORT " + json.dumps({"step": step, **facts}), flush=True)


def control(*words: str, check: bool = True) -> None:
    """Set something of a video device."""
    subprocess.run(["v4l2-ctl", *words], check=check, capture_output=True)


@contextmanager
def shown(photograph: str) -> Iterator[None]:
    """Send a picture to the camera, as fast as it takes it, within the block, which begins when it comes through."""
    control("-d", SCREEN, "--set-output=0")
    control("-d", SCREEN, TIMINGS)
    control("-d", SCREEN, "--set-fmt-video-out=width=640,height=480,pixelformat=YU12")
    for device in (CAMERA, SCREEN):  # which of them has it depends on the kernel
        control("-d", device, "-c", "loop_video=1", check=False)
    control("-d", CAMERA, "--set-input=0")
    control("-d", CAMERA, TIMINGS)
    control("-d", CAMERA, "-c", "osd_text_mode=2")
    command = ["v4l2-ctl", "-d", SCREEN, "--stream-out-mmap", f"--stream-from={photograph}.yuv", "--stream-loop"]
    sender = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        if sender.stderr:
            sender.stderr.read(SENT_FRAMES)  # it writes one character for each
        yield
    finally:
        sender.kill()
        sender.wait()


class Watched:
    """A running `edge-run watch --json`, its lines read as they come."""

    def __init__(self, *words: str, runtime: str = "") -> None:
        command = [*EDGE_RUN, "watch", *words, "--source", CAMERA, "--max-fps", FEW_FPS, "--json"]
        command += ["--stall-timeout", "8", "--give-up", "300", "--smooth", "1", "--k", "1", "--n", "1"]
        env = {**os.environ, "PYTHONPATH": runtime}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
        self._lines: Queue[dict[str, Any]] = Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def until(self, found: Callable[[dict[str, Any]], bool], patience_s: float = PATIENCE_S) -> list[dict[str, Any]]:
        """Give the lines up to the one that was looked for, or those that came meanwhile."""
        lines: list[dict[str, Any]] = []
        ends_s = time.monotonic() + patience_s
        while not lines or not found(lines[-1]):
            try:
                lines.append(self._lines.get(timeout=max(0.0, ends_s - time.monotonic())))
            except Empty:
                break
        return lines

    def naming(self, photograph: str, times: int, patience_s: float = PATIENCE_S) -> list[dict[str, Any]]:
        """Give the lines up to those that name a photograph so many times in a row.

        What a camera gives first, when it has just begun to stream, may be an empty buffer.
        """
        lines: list[dict[str, Any]] = []
        name, ends_s = Path(photograph).name, time.monotonic() + patience_s
        while time.monotonic() < ends_s:
            lines += self.until(lambda line: "label" in line, ends_s - time.monotonic())
            if _labels(lines)[-times:] == [name] * times:
                break
        return lines

    def end(self) -> tuple[int, str]:
        """Ask it to end; give its exit code and what it said on stderr."""
        self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, said

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self._lines.put(json.loads(line))


def doctor() -> None:
    done = subprocess.run([*EDGE_RUN, "doctor", "--json"], capture_output=True, text=True, check=False)
    findings = [json.loads(line) for line in done.stdout.splitlines()]
    report("doctor", code=done.returncode, findings=findings, said=done.stderr)


def watches(bundle: str, photographs: list[str]) -> None:
    """One `watch` names each photograph, and lives through a stream error, the loss of the device and its return."""
    watched = Watched(bundle)
    for photograph in photographs[1:]:
        with shown(photograph):
            report(f"names {photograph}", labels=_labels(watched.naming(photograph, 3)))
    with shown(photographs[0]):
        report(f"names {photographs[0]}", labels=_labels(watched.naming(photographs[0], 3)))
        report("stream error", told=_after_stream_error(watched, photographs[0]))
        control("-d", CAMERA, "-c", "disconnect=1")
        report("disconnect", told=_told(watched.until(_is("lost"))))
    watched.process.send_signal(signal.SIGSTOP)  # or it would open the new device before its format is set
    _load_camera_again()
    with shown(photographs[0]):
        watched.process.send_signal(signal.SIGCONT)
        lines = [*watched.until(_is("recovered")), *watched.naming(photographs[0], 1)]
    code, said = watched.end()
    report("return", told=_told(lines), code=code, said=said)


def ignores(bundle: str, faulty: str, photograph: str) -> None:
    """Do the same to a runtime that is known to be wrong, so that the host sees its judgement turn red."""
    watched = Watched(bundle, runtime=faulty)
    with shown(photograph):
        watched.naming(photograph, 1)
        told = _after_stream_error(watched, photograph, LITTLE_PATIENCE_S)
    code, said = watched.end()
    report("stream error ignored", told=told, code=code, said=said)


def _after_stream_error(watched: Watched, photograph: str, patience_s: float = PATIENCE_S) -> list[str]:
    control("-d", CAMERA, "-c", "inject_fatal_streaming_error=1")
    lines = watched.until(_is("recovered"), patience_s)
    with shown(photograph):  # again, for the error was the sender's too
        return _told([*lines, *watched.naming(photograph, 1, patience_s)])


def serves(bundle: str, photograph: str) -> None:
    words = ["serve", bundle, "--source", CAMERA, "--port", str(PORT)]
    server = subprocess.Popen([*EDGE_RUN, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    with shown(photograph):
        first = server.stderr.readline() if server.stderr else ""
        state = {}
        for _ in range(60):
            state = json.loads(_ask("/state"))
            if state.get("prediction"):
                break
            time.sleep(0.5)
        health = json.loads(_ask("/healthz"))
        uploaded = json.loads(_ask("/classify", Path(f"{photograph}.jpg").read_bytes()))
        page = _ask("/").decode()
    server.send_signal(signal.SIGTERM)
    server.wait(PATIENCE_S)
    report("serve", said=first, state=state, health=health, uploaded=uploaded, page=page[:300], code=server.returncode)


def is_a_service(bundle: str, photograph: str) -> None:
    """Let systemd run the unit that `edge-run service` prints, stall the process, and see what systemd does."""
    words = ["service", bundle, "--source", CAMERA, "--watchdog-s", str(WATCHDOG_S), "--options=--max-fps 2"]
    UNIT.write_text(_output(*EDGE_RUN, *words), encoding="utf-8")
    checked = subprocess.run(["systemd-analyze", "verify", str(UNIT)], capture_output=True, text=True, check=False)
    for device in Path("/dev").glob("video*"):  # as udev's rules do
        shutil.chown(device, group="video")
        device.chmod(0o660)
    with shown(photograph):
        started = subprocess.run(["systemctl", "start", UNIT.name], capture_output=True, text=True, check=False)
        before = _fed()
        after, restarted_s = _stalled(before) if before["ActiveState"] == "active" else (before, 0.0)
        subprocess.run(["systemctl", "stop", UNIT.name], check=False)
    report(
        "service",
        verified=[checked.returncode, checked.stdout + checked.stderr],
        started=[started.returncode, started.stderr],
        before=before,
        after=after,
        restarted_s=restarted_s,
        journal=_output("journalctl", "--unit", UNIT.name, "--no-pager", "--output", "cat"),
    )


def _fed() -> dict[str, str]:
    """Give the service's state when its watchdog was fed some times, or when no more patience is left."""
    ends_s, times = time.monotonic() + PATIENCE_S, set()
    while True:
        state = _service_state()
        times.add(state["WatchdogTimestampMonotonic"])
        if len(times) > FEEDS or time.monotonic() > ends_s:
            return state
        time.sleep(0.5)


def _stalled(before: dict[str, str]) -> tuple[dict[str, str], float]:
    """Stop the process as a driver that never returns does; give the service's state then, and how long it took."""
    began_s = time.monotonic()
    os.kill(int(before["MainPID"]), signal.SIGSTOP)
    after = before
    while after["NRestarts"] == before["NRestarts"] or after["ActiveState"] != "active":
        if time.monotonic() - began_s > PATIENCE_S:
            break
        time.sleep(0.5)
        after = _service_state()
    return after, time.monotonic() - began_s


def _service_state() -> dict[str, str]:
    names = "--property=ActiveState,MainPID,NRestarts,WatchdogTimestampMonotonic"
    return dict(line.split("=", 1) for line in _output("systemctl", "show", names, UNIT.name).splitlines())


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _ask(path: str, content: bytes | None = None) -> bytes:
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}{path}", content, {"Content-Type": "image/jpeg"})
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        return bytes(answer.read())


def _load_camera_again() -> None:
    for _ in range(50):  # until what held the old device has let it go
        if subprocess.run(["/bin/busybox", "rmmod", "vivid"], check=False, capture_output=True).returncode == 0:
            break
        time.sleep(0.2)
    options = Path("/guest/vivid.options").read_text(encoding="ascii").split()
    subprocess.run(["/bin/busybox", "insmod", "/vivid.ko", *options], check=True)
    for _ in range(50):
        if Path(CAMERA).exists() and Path(SCREEN).exists():
            return
        time.sleep(0.2)


def _is(event: str) -> Callable[[dict[str, Any]], bool]:
    return lambda line: line.get("event") == event


def _told(lines: list[dict[str, Any]]) -> list[str]:
    """Give what each line tells: an event's kind, a prediction's label."""
    return [line.get("event") or line["label"] for line in lines]


def _labels(lines: list[dict[str, Any]]) -> list[str]:
    """Give the label of each prediction."""
    return [line["label"] for line in lines if "event" not in line]


def main(bundle: str, faulty: str, photographs: list[str]) -> None:
    """Go through the day; a step that fails leaves the others alone."""
    subprocess.run(["/bin/busybox", "ip", "link", "set", "lo", "up"], check=True)
    steps: list[Callable[[], None]] = [
        doctor,
        lambda: watches(bundle, photographs),
        lambda: ignores(bundle, faulty, photographs[0]),
        lambda: serves(bundle, photographs[0]),
        lambda: is_a_service(bundle, photographs[0]),
    ]
    for step in steps:
        try:
            step()
        except Exception:  # noqa: BLE001 - the other steps tell more
            report("failed", traceback=traceback.format_exc())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
    print("MACHINE-END", flush=True)
    subprocess.run(["/bin/busybox", "poweroff", "-f"], check=False)
