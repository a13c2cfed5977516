"""Count the instructions of TFLite files on an emulated processor: python network_costs.py PROCESSOR FOLDER.

Prints the instructions of one invoke of each .tflite file of the folder as a JSON object.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from emulated.bundles import cnn_bundle, mobilenet_bundle
from emulated.inputs import GUEST_SCRIPTS, PROJECT, prepare
from emulated.processor import read_marks
from emulated.targets import BOOKWORM

if TYPE_CHECKING:
    from emulated.inputs import DeviceInputs
    from emulated.processor import Guest
    from emulated.targets import Target

END = 1  # the mark after the invoke
MOST_WORK = 3e7  # of a small network in amounts of all kinds; the larger ones would take five times as long


def count_invokes(guest: Guest, folder: Path, scratch: Path) -> dict[str, int]:
    """Return the instructions of one invoke of each .tflite file of a folder, by name."""
    log = scratch / "marks.log"
    guest.python(GUEST_SCRIPTS / "network_cost.py", folder, log=log)
    counts = [mark.instructions for mark in read_marks(log) if mark.number == END]
    names = sorted(path.name for path in folder.glob("*.tflite"))
    return dict(zip(names, counts, strict=True))


def predicted_and_counted(inputs: DeviceInputs, target: Target, processor: str) -> dict[str, tuple[float, int]]:
    """Return the instructions of the bundles' int8 files: predicted from those of small networks, and counted."""
    from edge_runtime.latency.features import amounts
    from edge_runtime.latency.model_file import model_file
    from edge_runtime.latency.operator_times import OperatorTimes
    from edge_runtime.latency.predict import predict_ms
    from edge_runtime.latency.probes import probes

    folder = inputs.fresh_folder("networks")
    chains = tuple(chain for chain in probes() if sum(amounts(chain).values()) < MOST_WORK)
    for place, chain in enumerate(chains):
        (folder / f"{place:04}.tflite").write_bytes(model_file(chain))
    files = {
        make.__name__: (make(PROJECT) / "model.int8.tflite").read_bytes() for make in (cnn_bundle, mobilenet_bundle)
    }
    for name, content in files.items():
        (folder / f"{name}.tflite").write_bytes(content)
    counts = count_invokes(inputs.guest(target, processor), folder, folder)
    small = tuple(float(counts.pop(f"{place:04}.tflite")) for place in range(len(chains)))
    device = OperatorTimes(processor, "litert", chains, {1: small})
    return {name: (predict_ms(content, device), counts[f"{name}.tflite"]) for name, content in files.items()}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        guest = prepare(Path(scratch)).guest(BOOKWORM, sys.argv[1])._replace(niceness=0)
        print(json.dumps(count_invokes(guest, Path(sys.argv[2]), Path(scratch))))
