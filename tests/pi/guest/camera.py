"""Run edge-run with a camera in an emulated machine, and report what it prints for pictures, faults and recovery.

The script runs under systemd, with vivid as /dev/video0, and prints one line "REPORT {JSON}" per step.

    python camera.py BUNDLE FAULTY PHOTOGRAPH...

FAULTY is the folder of a runtime that ignores a camera's error. PHOTOGRAPH is a path without an extension: the picture
exists as PHOTOGRAPH.jpg and as PHOTOGRAPH.yuv, 640x480 pixels, YUV 4:2:0.
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

CAMERA, OUTPUT = "/dev/video0", "/dev/video1"
EDGE_RUN = (sys.executable, "-m", "edge_runtime.cli")
PORT = 8080
TIMEOUT_S, SHORT_TIMEOUT_S = 90.0, 4.0
WATCHDOG_S, NOTIFICATIONS = 10, 1
# Both sides use 640x480 and the format that FFmpeg requests, because vivid's scaling of that format crashes Linux 6.1.
# The rate is almost vivid's lowest: sending 60 frames per second keeps an emulated core busy.
TIMINGS = "--set-dv-bt-timings=cvt,width=640,height=480,fps=36"
MAX_FPS = "5"  # a limit, so that other jobs get time on the cores
SENT_FRAMES = 3
UNIT = Path("/etc/systemd/system/edgewise.service")


def report(step: str, **values: object) -> None:
    """Print the report of a step for the host."""
    print("REPORT " + json.dumps({"step": step, **values}), flush=True)


def control(*words: str, check: bool = True) -> None:
    """Run v4l2-ctl, which changes settings of a video device."""
    subprocess.run(["v4l2-ctl", *words], check=check, capture_output=True)


@contextmanager
def showing(photograph: str) -> Iterator[None]:
    """Send a picture to the camera continuously during the block, which starts after the first frames were sent."""
    control("-d", OUTPUT, "--set-output=0")
    control("-d", OUTPUT, TIMINGS)
    control("-d", OUTPUT, "--set-fmt-video-out=width=640,height=480,pixelformat=YU12")
    for device in (CAMERA, OUTPUT):  # which device has the control depends on the kernel
        control("-d", device, "-c", "loop_video=1", check=False)
    control("-d", CAMERA, "--set-input=0")
    control("-d", CAMERA, TIMINGS)
    control("-d", CAMERA, "-c", "osd_text_mode=2")
    command = ["v4l2-ctl", "-d", OUTPUT, "--stream-out-mmap", f"--stream-from={photograph}.yuv", "--stream-loop"]
    sender = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        if sender.stderr:
            sender.stderr.read(SENT_FRAMES)  # it writes one character for each
        yield
    finally:
        sender.kill()
        sender.wait()


class WatchProcess:
    """A running `edge-run watch --json`; a thread reads its output."""

    def __init__(self, *words: str, runtime: str = "") -> None:
        command = [*EDGE_RUN, "watch", *words, "--source", CAMERA, "--max-fps", MAX_FPS, "--json"]
        command += ["--stall-timeout", "8", "--give-up", "300", "--smooth", "1", "--k", "1", "--n", "1"]
        env = {**os.environ, "PYTHONPATH": runtime}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
        self._lines: Queue[dict[str, Any]] = Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def until(self, found: Callable[[dict[str, Any]], bool], timeout_s: float = TIMEOUT_S) -> list[dict[str, Any]]:
        """Return the lines up to the first that `found` accepts, or those that were printed before the time-out."""
        lines: list[dict[str, Any]] = []
        deadline_s = time.monotonic() + timeout_s
        while not lines or not found(lines[-1]):
            try:
                lines.append(self._lines.get(timeout=max(0.0, deadline_s - time.monotonic())))
            except Empty:
                break
        return lines

    def until_named(self, photograph: str, times: int, timeout_s: float = TIMEOUT_S) -> list[dict[str, Any]]:
        """Return the lines up to `times` successive predictions of a photograph, or those before the time-out.

        The first predictions may differ, because the first buffers of a camera may be empty.
        """
        lines: list[dict[str, Any]] = []
        name, deadline_s = Path(photograph).name, time.monotonic() + timeout_s
        while time.monotonic() < deadline_s:
            lines += self.until(lambda line: "label" in line, deadline_s - time.monotonic())
            if _labels(lines)[-times:] == [name] * times:
                break
        return lines

    def end(self) -> tuple[int, str]:
        """Stop the process with SIGTERM; return its exit code and its standard error."""
        self.process.send_signal(signal.SIGTERM)
        _, stderr = self.process.communicate(timeout=TIMEOUT_S)
        return self.process.returncode, stderr

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self._lines.put(json.loads(line))


def check_doctor() -> None:
    """Run `edge-run doctor`."""
    done = subprocess.run([*EDGE_RUN, "doctor", "--json"], capture_output=True, text=True, check=False)
    findings = [json.loads(line) for line in done.stdout.splitlines()]
    report("doctor", code=done.returncode, findings=findings, stderr=done.stderr)


def check_watch(bundle: str, photographs: list[str]) -> None:
    """Run one `watch` through the photographs, a stream error, the loss of the device and its return."""
    watched = WatchProcess(bundle)
    for photograph in photographs[1:]:
        with showing(photograph):
            report(f"names {photograph}", labels=_labels(watched.until_named(photograph, 3)))
    with showing(photographs[0]):
        report(f"names {photographs[0]}", labels=_labels(watched.until_named(photographs[0], 3)))
        report("stream error", summary=_after_stream_error(watched, photographs[0]))
        control("-d", CAMERA, "-c", "disconnect=1")
        report("disconnect", summary=_summary(watched.until(_is_event("lost"))))
    watched.process.send_signal(signal.SIGSTOP)  # so that it does not open the new device before its format is set
    _reload_camera()
    with showing(photographs[0]):
        watched.process.send_signal(signal.SIGCONT)
        lines = [*watched.until(_is_event("recovered")), *watched.until_named(photographs[0], 1)]
    code, stderr = watched.end()
    report("return", summary=_summary(lines), code=code, stderr=stderr)


def check_faulty_watch(bundle: str, faulty: str, photograph: str) -> None:
    """Run the stream error with a faulty runtime, so that the host can check that its test detects the fault."""
    watched = WatchProcess(bundle, runtime=faulty)
    with showing(photograph):
        watched.until_named(photograph, 1)
        summary = _after_stream_error(watched, photograph, SHORT_TIMEOUT_S)
    code, stderr = watched.end()
    report("stream error ignored", summary=summary, code=code, stderr=stderr)


def _after_stream_error(watched: WatchProcess, photograph: str, timeout_s: float = TIMEOUT_S) -> list[str]:
    control("-d", CAMERA, "-c", "inject_fatal_streaming_error=1")
    lines = watched.until(_is_event("recovered"), timeout_s)
    with showing(photograph):  # send the picture again, because the error stopped the sender as well
        return _summary([*lines, *watched.until_named(photograph, 1, timeout_s)])


def check_serve(bundle: str, photograph: str) -> None:
    """Run `edge-run serve` and request its state, its health, a classification and its page."""
    words = ["serve", bundle, "--source", CAMERA, "--port", str(PORT)]
    server = subprocess.Popen([*EDGE_RUN, *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    with showing(photograph):
        first = server.stderr.readline() if server.stderr else ""
        state = {}
        for _ in range(60):
            state = json.loads(_request("/state"))
            if state.get("prediction"):
                break
            time.sleep(0.5)
        health = json.loads(_request("/healthz"))
        uploaded = json.loads(_request("/classify", Path(f"{photograph}.jpg").read_bytes()))
        page = _request("/").decode()
    server.send_signal(signal.SIGTERM)
    server.wait(TIMEOUT_S)
    report(
        "serve", stderr=first, state=state, health=health, uploaded=uploaded, page=page[:300], code=server.returncode
    )


def check_service(bundle: str, photograph: str) -> None:
    """Run the unit that `edge-run service` prints under systemd, stall its process, and record what systemd does."""
    words = ["service", bundle, "--source", CAMERA, "--watchdog-s", str(WATCHDOG_S), "--options=--max-fps 2"]
    UNIT.write_text(_output(*EDGE_RUN, *words), encoding="utf-8")
    checked = subprocess.run(["systemd-analyze", "verify", str(UNIT)], capture_output=True, text=True, check=False)
    for device in Path("/dev").glob("video*"):  # as udev's rules do
        shutil.chown(device, group="video")
        device.chmod(0o660)
    with showing(photograph):
        started = subprocess.run(["systemctl", "start", UNIT.name], capture_output=True, text=True, check=False)
        before = _state_after_notification()
        after, restarted_s = _stall(before) if before["ActiveState"] == "active" else (before, 0.0)
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


def _state_after_notification() -> dict[str, str]:
    """Return the state of the service after it has notified its watchdog, or after the time-out."""
    deadline_s, times = time.monotonic() + TIMEOUT_S, set()
    while True:
        state = _service_state()
        times.add(state["WatchdogTimestampMonotonic"])
        if len(times) > NOTIFICATIONS or time.monotonic() > deadline_s:
            return state
        time.sleep(0.5)


def _stall(before: dict[str, str]) -> tuple[dict[str, str], float]:
    """Stop the process; return the state of the service after its restart, and the seconds until then."""
    began_s = time.monotonic()
    os.kill(int(before["MainPID"]), signal.SIGSTOP)
    after = before
    while after["NRestarts"] == before["NRestarts"] or after["ActiveState"] != "active":
        if time.monotonic() - began_s > TIMEOUT_S:
            break
        time.sleep(0.5)
        after = _service_state()
    return after, time.monotonic() - began_s


def _service_state() -> dict[str, str]:
    names = "--property=ActiveState,MainPID,NRestarts,WatchdogTimestampMonotonic"
    return dict(line.split("=", 1) for line in _output("systemctl", "show", names, UNIT.name).splitlines())


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _request(path: str, content: bytes | None = None) -> bytes:
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}{path}", content, {"Content-Type": "image/jpeg"})
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
        return bytes(response.read())


def _reload_camera() -> None:
    for _ in range(50):  # until no process uses the old device
        if subprocess.run(["/bin/busybox", "rmmod", "vivid"], check=False, capture_output=True).returncode == 0:
            break
        time.sleep(0.2)
    options = Path("/guest/vivid.options").read_text(encoding="ascii").split()
    subprocess.run(["/bin/busybox", "insmod", "/vivid.ko", *options], check=True)
    for _ in range(50):
        if Path(CAMERA).exists() and Path(OUTPUT).exists():
            return
        time.sleep(0.2)


def _is_event(event: str) -> Callable[[dict[str, Any]], bool]:
    return lambda line: line.get("event") == event


def _summary(lines: list[dict[str, Any]]) -> list[str]:
    """Return the kind of each event and the label of each prediction."""
    return [line.get("event") or line["label"] for line in lines]


def _labels(lines: list[dict[str, Any]]) -> list[str]:
    """Return the label of each prediction."""
    return [line["label"] for line in lines if "event" not in line]


def main(bundle: str, faulty: str, photographs: list[str]) -> None:
    """Run all steps; a step that fails does not stop the others."""
    subprocess.run(["/bin/busybox", "ip", "link", "set", "lo", "up"], check=True)
    steps: list[Callable[[], None]] = [
        check_doctor,
        lambda: check_watch(bundle, photographs),
        lambda: check_faulty_watch(bundle, faulty, photographs[0]),
        lambda: check_serve(bundle, photographs[0]),
        lambda: check_service(bundle, photographs[0]),
    ]
    for step in steps:
        try:
            step()
        except Exception:  # noqa: BLE001 - the other steps still run
            report("failed", traceback=traceback.format_exc())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
    print("MACHINE-END", flush=True)
    subprocess.run(["/bin/busybox", "poweroff", "-f"], check=False)
