"""What runs after an update was killed at a random instant?

    python benchmarks/update_kills.py BUNDLE PHOTOGRAPHS [--kills 200] [--seed 0] [--out FILE]

An `edge-run watch` on MODELS/current runs all the time. `edge-run update` fetches a release from a static HTTP server,
proves it, tries it in the shadow, switches, and begins the probation; it is killed with SIGKILL after a random time of
up to 1.1 times a whole update. After each kill, `current` must be one whole version that passes its self-test. As soon
as a release is current, the next one is published.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

# The benchmark export.py would hide the package of that name.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import machine
from fleet import release, web_server

from edge_runtime.model.bundle import Bundle
from edge_runtime.selftest.isolated import selftest_in_child
from edge_runtime.storage.json_files import read_json, write_json
from edge_runtime.update.models import Models
from edge_runtime.update.trial import read_trial
from export.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Sequence

SHADOW_S, SHARE, FPS = 6, 0.9, 60  # the shadow must classify 100 frames
OPTIONS = ("--shadow", f"{SHADOW_S}s", "--shadow-share", SHARE, "--probation", "1s", "--max-ms", 500, "--max-mb", 2000)


class Publisher:
    """A repository and the releases that were published in it."""

    def __init__(self, scratch: Path, bundle: Path) -> None:
        self.place = ("--repository", scratch / "releases", "--keys", scratch / "keys")
        self.scratch, self.bundle, self.published = scratch, bundle, 0
        release("--init", *self.place)
        self.publish()

    def publish(self) -> None:
        """Release a bundle that differs from the others in its manifest."""
        self.published += 1
        copy = self.scratch / "next"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.bundle, copy)
        manifest = read_json(copy / "manifest.json", ExportError)
        manifest["versions"]["release"] = str(self.published)
        write_json(copy / "manifest.json", manifest)
        release(copy, *self.place)


def size_of(folder: Path) -> tuple[int, int]:
    """Return the number of files in a folder and their bytes; files that vanish meanwhile do not count."""
    sizes = []
    for path in folder.rglob("*"):
        try:
            sizes.append(path.lstat().st_size if path.is_file() else 0)
        except FileNotFoundError:
            continue
    return len(sizes), sum(sizes)


def phase_of(models: Models) -> str:
    """Return in which phase the update was killed, as the folder shows it."""
    trial = read_trial(models.folder)
    if trial:
        return str(trial.phase)
    return "fetching" if any(models.partial.iterdir()) else "between"


def check(models: Models) -> str:
    """Return what is wrong with the current version; an empty text if nothing is."""
    try:
        Bundle.open(models.folder / "current").check_files()
        result = selftest_in_child(models.folder / "current")
    except Exception as problem:  # noqa: BLE001 - whatever is wrong is the result
        return repr(problem)
    return result.difference.message if result.difference else ""


def measure(bundle: Path, photographs: Path, kills: int, seed: int, scratch: Path) -> dict[str, Any]:
    """Kill updates and return what was found."""
    publisher, models = Publisher(scratch, bundle), Models(scratch / "models")
    random_s, phases, wrong, sizes = random.Random(seed), Counter[str](), [], []
    with web_server(scratch / "releases") as location:
        command: Sequence[str] = [
            *(sys.executable, "-m", "edge_runtime.cli", "update", "--repository", location),
            *("--models", str(models.folder), "--root", str(scratch / "releases" / "root.json"), *map(str, OPTIONS)),
        ]
        subprocess.run([*command, "--shadow", "0"], check=True, capture_output=True)
        watch = [sys.executable, "-m", "edge_runtime.cli", "watch", str(models.folder / "current")]
        camera = subprocess.Popen(
            [*watch, "--source", f"simulated:{photographs}?fps={FPS}&size=320x240"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            time.sleep(3.0)
            publisher.publish()
            began_s = time.monotonic()
            subprocess.run(command, check=True, capture_output=True)
            whole_s = time.monotonic() - began_s
            for number in range(kills):
                if (models.current() or "").startswith(f"stable-{publisher.published}-"):
                    publisher.publish()
                process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(random_s.uniform(0, 1.1 * whole_s))
                process.kill()
                process.wait()
                phases[phase_of(models)] += 1
                sizes.append(size_of(models.folder))
                if problem := check(models):
                    wrong.append(problem)
                print(f"{number + 1} of {kills}: {models.current()}, {sizes[-1]}, wrong: {len(wrong)}", flush=True)
            time.sleep(2.0)  # the end of the last probation
            subprocess.run(command, check=False, capture_output=True)
            alive = camera.poll() is None
        finally:
            camera.terminate()
            camera.wait()
    return {
        "kills": kills,
        "whole_s": whole_s,
        "wrong": wrong,
        "phases": dict(phases),
        "releases": publisher.published,
        "most_files": max(files for files, _ in sizes),
        "most_bytes": max(size for _, size in sizes),
        "files_at_the_end": size_of(models.folder)[0],
        "bytes_at_the_end": size_of(models.folder)[1],
        "versions_at_the_end": len(list(models.versions.iterdir())),
        "camera_ran_until_the_end": alive,
    }


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("photographs", type=Path, help="a folder of photographs, which a simulated camera plays")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "update_kills.json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found = measure(args.bundle, args.photographs.resolve(), args.kills, args.seed, Path(scratch))
    args.out.write_text(json.dumps({"machine": machine.facts(), **found}, indent=1) + "\n")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
