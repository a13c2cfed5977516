"""Train and export a model, run every benchmark, and report which ones failed.

    python benchmarks/run_all.py [--data DIR] [--weights FILE] [--only NAME ...]

DIR contains data sets; each is a folder with one folder of photographs for each class (default: ../shared/data). FILE
is a pretrained MobileNetV2 backbone. The RUN and the bundle are kept in build/bench and reused, and so are the RUNs of
"accuracy", which "export" exports. Each benchmark writes results/NAME.json; page.py then writes the page.
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


class Inputs(NamedTuple):
    """The data and models of the benchmarks.

    Attributes:
        folders: the data sets, each with one folder for each class.
        weights: the weights file of a pretrained backbone.
        run: the RUN that was trained on the first data set.
        bundle: the bundle that was exported from the RUN.

    """

    folders: list[Path]
    weights: Path
    run: Path
    bundle: Path

    @property
    def photographs(self) -> Path:
        """Return the first data set."""
        return self.folders[0]

    @property
    def photograph(self) -> Path:
        """Return the first photograph of the first data set."""
        return next(path for path in sorted(self.photographs.rglob("*")) if path.is_file())


# In the order of the runs. The short ones come first, before the machine gets warm.
ARGUMENTS: dict[str, Callable[[Inputs], list[object]]] = {
    "startup": lambda inputs: [inputs.bundle, inputs.photograph],
    "runtime": lambda inputs: [inputs.bundle, inputs.photographs],
    "other_runtimes": lambda inputs: [inputs.run, inputs.bundle, inputs.photographs],
    "latency_prediction": lambda _: [],
    "rescaling": lambda inputs: [inputs.bundle],
    "training": lambda inputs: [inputs.photographs, "--weights", inputs.weights],
    "dataset_scale": lambda _: [],
    "accuracy": lambda inputs: [*inputs.folders, "--weights", inputs.weights, "--keep", RUNS],
    "unknown": lambda inputs: [*inputs.folders[:2], "--weights", inputs.weights],
    "learning_curve": lambda inputs: [*inputs.folders, "--weights", inputs.weights],
    "foreign": lambda inputs: [inputs.photographs, "--weights", inputs.weights],
    "int8_improvements": lambda inputs: [inputs.photographs, inputs.run],
    "loop": lambda inputs: [*inputs.folders, "--weights", inputs.weights],
    "keep_cost": lambda inputs: [inputs.bundle, inputs.photographs],
    "fleet": lambda inputs: [inputs.bundle],
    "update_kills": lambda inputs: [inputs.bundle, inputs.photographs],
    "export": lambda inputs: [*(sorted(RUNS.glob("*-seed*")) or [inputs.run]), "--formats", "all"],
    "soak": lambda inputs: [inputs.bundle, inputs.photographs],
    "million": lambda inputs: [inputs.bundle, inputs.photograph],
}
# Scripts that are not benchmarks: modules of the others, the page, and this one.
OTHERS = {"machine", "page", "charts", "run_all", "bare", "peers", "peer_mediapipe", "environments", "training_epoch"}
OTHERS |= {"latency_candidates"}  # of latency_prediction.py
OTHERS |= {"foreign_files", "foreign_networks", "foreign_bare"}  # of foreign.py


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of data sets")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="weights of a pretrained MobileNetV2")
    parser.add_argument(
        "--only", nargs="+", choices=ARGUMENTS, default=list(ARGUMENTS), metavar="NAME", help="benchmarks to run"
    )
    args = parser.parse_args()
    inputs = prepare(args.data, args.weights)
    if isinstance(inputs, str):
        print(f"no benchmark runs: {inputs}", file=sys.stderr)
        return 1
    failed = [name for name in args.only if not run(name, inputs)]
    subprocess.run([sys.executable, str(HERE / "page.py")], check=True, cwd=ROOT)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


def prepare(data: Path, weights: Path) -> Inputs | str:
    """Train and export the model unless it exists; return the inputs, or the reason why they are missing."""
    folders = sorted(path for path in data.glob("*") if path.is_dir())
    if not folders:
        return f"{data}: contains no folder of photographs; give another one with: make bench DATA=DIR"
    if not weights.is_file():
        return f"{weights}: no such file; give a pretrained MobileNetV2 with: make bench WEIGHTS=FILE"
    name = folders[0].name
    inputs = Inputs(folders, weights, WORK / f"{name}-mobilenet_v2-seed0", WORK / f"{name}-bundle")
    if not inputs.run.exists():
        run_module(
            "trainer.cli", "train", folders[0], "--model", "mobilenet_v2", "--weights", weights, "--out", inputs.run
        )
    if not inputs.bundle.exists():
        run_module("export.cli", "export", inputs.run, "--out", inputs.bundle)
    return inputs


def run_module(module: str, *words: object) -> None:
    """Print and run a command of this project."""
    print(f"== {module} {' '.join(map(str, words))}", flush=True)
    subprocess.run([sys.executable, "-m", module, *map(str, words)], check=True, cwd=ROOT)


def run(name: str, inputs: Inputs) -> bool:
    """Run one benchmark, print its outcome, and return whether it succeeded."""
    script = HERE / f"{name}.py"
    if not script.exists():
        print(f"== {name}: skipped, {script.name} does not exist", flush=True)
        return True
    words = [str(word) for word in ARGUMENTS[name](inputs)]
    print(f"== {name}", flush=True)
    start_s = time.monotonic()
    done = subprocess.run([sys.executable, str(script), *words], check=False, cwd=ROOT)
    print(
        f"== {name}: {'done' if done.returncode == 0 else 'FAILED'} in {time.monotonic() - start_s:.0f} s", flush=True
    )
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
