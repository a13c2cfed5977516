"""How do the updates and the reports of a fleet grow with the number of its devices?

    python benchmarks/fleet.py BUNDLE [--devices 10 100 1000] [--out benchmarks/results/fleet.json]

Each simulated device reads the signed metadata, chooses its release, fetches it into a models folder and switches, with
the code of `edge-run update`; then it reports to a broker with the code of `edge-run watch --mqtt` and stays connected.
The proof of a release on the device is left out: it costs this machine's processor what it costs the device's. One
static HTTP server and one Mosquitto serve all of them. Then a second release reaches 10% of the devices.
"""

from __future__ import annotations

import argparse
import getpass
import json
import multiprocessing
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

# The benchmark export.py would hide the package of that name.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import machine

from edge_runtime.fleet.attention import by_urgency
from edge_runtime.fleet.collect import collect
from edge_runtime.fleet.page import fleet_page
from edge_runtime.live.sinks.broker import Broker
from edge_runtime.live.sinks.device_report import DeviceFacts
from edge_runtime.live.sinks.mqtt import Mqtt
from edge_runtime.update.models import Models, locked
from edge_runtime.update.repository import open_repository
from edge_runtime.update.rollout import chosen
from edge_runtime.update.status import status_of
from edge_runtime.update.update import fetch

if TYPE_CHECKING:
    from collections.abc import Iterator

# A device needs three file descriptors, and `select`, which paho-mqtt uses, takes none above 1,023.
PROCESSES, THREADS = 5, 4
CHANNEL, ROLLOUT = "stable", 10
REPORTED_S = 120.0  # the longest wait for the last report


class Counting(SimpleHTTPRequestHandler):
    """Serves a folder and counts what it sends."""

    sent_bytes, requests = 0, 0
    lock = threading.Lock()
    protocol_version = "HTTP/1.1"

    def copyfile(self, source: Any, outputfile: Any) -> None:  # noqa: ANN401 - as the base class has it
        content = source.read()
        outputfile.write(content)
        with Counting.lock:
            Counting.sent_bytes += len(content)
            Counting.requests += 1

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Print nothing."""


@contextmanager
def web_server(folder: Path) -> Iterator[str]:
    """Serve a folder and yield its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Counting, directory=str(folder)))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


@contextmanager
def mosquitto(folder: Path) -> Iterator[Broker]:
    """Run a broker and yield its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        raise SystemExit("mosquitto is needed: apt install mosquitto")
    config = folder / "mosquitto.conf"
    config.write_text(f"user {getpass.getuser()}\nlistener {port} 127.0.0.1\nallow_anonymous true\n")
    process = subprocess.Popen([program, "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(1.0)
    try:
        yield Broker("127.0.0.1", port, tls=False)
    finally:
        process.terminate()
        process.wait()


def release(*words: object) -> None:
    """Run `edge-export release`."""
    subprocess.run([sys.executable, "-m", "export.cli", "release", *map(str, words)], check=True, capture_output=True)


def update(device: str, folder: Path, location: str, root: Path) -> str | None:
    """Update a device and return the version that it runs."""
    with locked(folder) as models:
        repository = open_repository(location, models.trust, root)
        wanted = chosen(repository.releases, CHANNEL, device, ())
        if wanted is not None and wanted.folder != models.current():
            fetch(models, location, wanted, repository.files_of(wanted))
            models.switch(wanted.folder)
        return models.current()


def run_devices(
    numbers: list[int],
    folder: Path,
    location: str,
    root: Path,
    broker: Broker,
    pipe: Any,  # noqa: ANN401
) -> None:
    """Update and report as some devices, in a process of their own; stay connected until the parent says so."""
    sinks: list[Mqtt] = []

    def one(number: int) -> None:
        device = f"device{number:04d}"
        own = folder / device
        update(device, own, location, root)
        status = status_of(Models(own))
        facts = DeviceFacts(device, (), "0.1.0", status.bundle, status.channel, status.version, "good", "", 50.0, 10**9)
        sinks.append(Mqtt(broker, node=device, facts=lambda: facts))

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(one, numbers))
    pipe.send("updated")
    pipe.recv()

    def again(number: int) -> str | None:
        device = f"device{number:04d}"
        return update(device, folder / device, location, root)

    with ThreadPoolExecutor(THREADS) as pool:
        versions = list(pool.map(again, numbers))
    pipe.send(versions)
    pipe.recv()
    for sink in sinks:
        sink.close()


def measure(count: int, bundle: Path, scratch: Path) -> dict[str, Any]:
    """Return the row of a fleet of `count` devices."""
    repository, keys, devices = scratch / "releases", scratch / "keys", scratch / "devices"
    release("--init", "--repository", repository, "--keys", keys)
    release(bundle, "--repository", repository, "--keys", keys)
    Counting.sent_bytes = Counting.requests = 0
    with web_server(repository) as location, mosquitto(scratch) as broker:
        start_s = time.perf_counter()
        pipes, processes = [], []
        for part in range(PROCESSES):
            ours, theirs = multiprocessing.Pipe()
            arguments = (
                list(range(part, count, PROCESSES)),
                devices,
                location,
                repository / "root.json",
                broker,
                theirs,
            )
            processes.append(multiprocessing.Process(target=run_devices, args=arguments))
            processes[-1].start()
            pipes.append(ours)
        for pipe in pipes:
            pipe.recv()
        updated_s = time.perf_counter() - start_s
        sent_bytes, requests = Counting.sent_bytes, Counting.requests
        deadline_s, found = time.perf_counter() + REPORTED_S, collect(broker, None, "edgewise/+", 30)
        while len(found.reports) < count and time.perf_counter() < deadline_s:
            found = collect(broker, None, "edgewise/+", 30)
        reported_s = time.perf_counter() - start_s
        collecting_s = time.perf_counter()
        found = collect(broker, None, "edgewise/+", 30)
        collecting_s = time.perf_counter() - collecting_s
        page_s = time.perf_counter()
        page = fleet_page(by_urgency(found.devices(), time.time()), time.time())
        page_s = time.perf_counter() - page_s
        release(bundle, "--repository", repository, "--keys", keys, "--rollout", f"{ROLLOUT}%", "--notes", "second")
        Counting.sent_bytes = 0
        for pipe in pipes:
            pipe.send("again")
        versions = [version for pipe in pipes for version in pipe.recv()]
        again_bytes = Counting.sent_bytes
        for pipe in pipes:
            pipe.send("end")
        for process in processes:
            process.join()
    return {
        "devices": count,
        "reported": len(found.reports),
        "online": sum(found.online.values()),
        "updated_s": updated_s,
        "reported_s": reported_s,
        "bytes_per_device": sent_bytes / count,
        "requests_per_device": requests / count,
        "second_bytes_per_device": again_bytes / count,
        "rollout_share": sum(version is not None and "-2-" in version for version in versions) / count,
        "collect_s": collecting_s,
        "page_s": page_s,
        "page_bytes": len(page.encode()),
    }


def main() -> None:
    """Measure each size and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--devices", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "fleet.json")
    args = parser.parse_args()
    rows = []
    result = {"machine": machine.facts(), "bundle_bytes": sum(p.stat().st_size for p in args.bundle.rglob("*"))}
    for count in args.devices:
        with tempfile.TemporaryDirectory() as scratch:
            rows.append(measure(count, args.bundle, Path(scratch)))
        print(json.dumps(rows[-1]), flush=True)
        args.out.write_text(json.dumps({**result, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
