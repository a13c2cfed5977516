"""Run every benchmark, on a run and a bundle made for it, and say which could not run and why.

    python benchmarks/run_all.py [--data DIR] [--weights FILE] [--only NAME ...]

DIR holds folders of photographs, each with a folder for each class; `../shared/data` unless told. FILE is a pretrained
MobileNetV2 backbone. One run and its bundle are kept in build/bench and used again; there "accuracy" leaves its runs
for "export". Each benchmark writes results/NAME.json, of which page.py makes the page in the end.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
DATA = ROOT.parent / "shared" / "data"
WEIGHTS = ROOT.parent / "shared" / "weights" / "mobilenet_v2_1.0_160_notop.weights.h5"
WORK = ROOT / "build" / "bench"
RUNS = WORK / "runs"


class Given(NamedTuple):
    """What the benchmarks work on.

    Attributes:
        folders: of photographs, a folder for each class in them.
        weights: a pretrained backbone.
        run: trained on the first of the folders.
        bundle: exported from it.

    """

    folders: list[Path]
    weights: Path
    run: Path
    bundle: Path

    @property
    def photographs(self) -> Path:
        return self.folders[0]

    @property
    def photograph(self) -> Path:
        return next(path for path in sorted(self.photographs.rglob("*")) if path.is_file())


# In the order in which they run: those first that a warm machine would spoil least.
ARGUMENTS: dict[str, Callable[[Given], list[object]]] = {
    "startup": lambda given: [given.bundle, given.photograph],
    "runtime": lambda given: [given.bundle, given.photographs],
    "other_runtimes": lambda given: [given.run, given.bundle, given.photographs],
    "rescaling": lambda given: [given.bundle],
    "training": lambda given: [given.photographs, "--weights", given.weights],
    "dataset_scale": lambda _: [],
    "accuracy": lambda given: [*given.folders, "--weights", given.weights, "--keep", RUNS],
    "export": lambda given: [*(sorted(RUNS.glob("*-seed*")) or [given.run]), "--formats", "all"],
    "soak": lambda given: [given.bundle, given.photographs],
    "million": lambda given: [given.bundle, given.photograph],
}
# Not benchmarks: what the others import, the page, and this.
OTHERS = {"machine", "page", "sections", "charts", "run_all", "bare", "peers", "peer_mediapipe", "environments"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--only", nargs="+", choices=ARGUMENTS, default=list(ARGUMENTS), metavar="NAME")
    args = parser.parse_args()
    given = prepare(args.data, args.weights)
    if isinstance(given, str):
        print(f"nothing runs: {given}", file=sys.stderr)
        return 1
    failed = [name for name in args.only if not run(name, given)]
    subprocess.run([sys.executable, str(HERE / "page.py")], check=True, cwd=ROOT)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


def prepare(data: Path, weights: Path) -> Given | str:
    """Train and export what is not there yet; give it, or why it cannot be."""
    folders = sorted(path for path in data.glob("*") if path.is_dir())
    if not folders:
        return f"{data}: holds no folder of photographs; make bench DATA=DIR names another"
    if not weights.is_file():
        return f"{weights}: no such file; make bench WEIGHTS=FILE names a pretrained MobileNetV2"
    given = Given(folders, weights, WORK / f"{folders[0].name}-mobilenet_v2-seed0", WORK / f"{folders[0].name}-bundle")
    if not given.run.exists():
        told("trainer.cli", "train", folders[0], "--model", "mobilenet_v2", "--weights", weights, "--out", given.run)
    if not given.bundle.exists():
        told("export.cli", "export", given.run, "--out", given.bundle)
    return given


def told(module: str, *words: object) -> None:
    print(f"== {module} {' '.join(map(str, words))}", flush=True)
    subprocess.run([sys.executable, "-m", module, *map(str, words)], check=True, cwd=ROOT)


def run(name: str, given: Given) -> bool:
    """Run one benchmark; tell how it went, and whether it went well."""
    script = HERE / f"{name}.py"
    if not script.exists():
        print(f"== {name}: skipped, there is no {script.name}", flush=True)
        return True
    words = [str(word) for word in ARGUMENTS[name](given)]
    print(f"== {name}", flush=True)
    began = time.monotonic()
    done = subprocess.run([sys.executable, str(script), *words], check=False, cwd=ROOT)
    print(f"== {name}: {'done' if done.returncode == 0 else 'FAILED'} in {time.monotonic() - began:.0f} s", flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
