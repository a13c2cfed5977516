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

from emulated.inputs import GUEST_SCRIPTS, prepare
from emulated.processor import read_marks
from emulated.targets import BOOKWORM

if TYPE_CHECKING:
    from emulated.inputs import DeviceInputs
    from emulated.targets import Target

END = 1  # the mark after the invoke


def count_invokes(inputs: DeviceInputs, target: Target, processor: str, folder: Path) -> dict[str, int]:
    """Return the instructions of one invoke of each .tflite file of a folder, by name."""
    log = inputs.fresh_folder(f"networks-{processor}") / "marks.log"
    inputs.guest(target, processor).python(GUEST_SCRIPTS / "network_cost.py", folder, log=log)
    counts = [mark.instructions for mark in read_marks(log) if mark.number == END]
    names = sorted(path.name for path in folder.glob("*.tflite"))
    return dict(zip(names, counts, strict=True))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        print(json.dumps(count_invokes(prepare(Path(scratch)), BOOKWORM, sys.argv[1], Path(sys.argv[2]))))
