"""Write the int8 files whose latency is predicted and measured: python latency_candidates.py FOLDER.

The weights are random and the calibration images are noise: the time of an int8 network does not depend on values.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:] = [path for path in sys.path if Path(path).resolve() != HERE]  # export.py hides export


class Candidate(NamedTuple):
    model: str
    side: int
    alpha: float = 1.0
    last: str = ""

    def name(self) -> str:
        width = f" {self.alpha:g}" if self.model.startswith("mobilenet") else ""
        return f"{self.model}{width} {self.side}" + f" {self.last}" * bool(self.last)


CANDIDATES = (
    Candidate("mobilenet_v2", 224),
    Candidate("mobilenet_v2", 160),
    Candidate("mobilenet_v2", 96),
    Candidate("mobilenet_v2", 192, 0.75),
    Candidate("mobilenet_v2", 224, 0.5),
    Candidate("mobilenet_v2", 128, 0.5),
    Candidate("mobilenet_v2", 160, 0.35),
    Candidate("mobilenet_v2", 96, 0.35),
    Candidate("mobilenet_v2", 128, 1.4),
    Candidate("mobilenet_v2", 128, 1.0, "block_13_expand_relu"),
    Candidate("mobilenet_v2", 160, 1.0, "block_9_add"),
    Candidate("mobilenet_v2", 96, 1.0, "block_12_add"),
    Candidate("mobilenet_v2", 128, 0.75, "block_13_expand_relu"),
    Candidate("mobilenet_v2", 160, 0.5, "block_12_add"),
    Candidate("mobilenet_v2", 224, 0.35, "block_6_expand_relu"),
    Candidate("mobilenet_v2", 192, 1.4, "block_5_add"),
    Candidate("cnn_bn", 64),
    Candidate("cnn_bn", 96),
    Candidate("cnn_bn", 128),
    Candidate("cnn_bn", 160),
    Candidate("cnn_bn", 224),
    Candidate("cnn", 96),
    Candidate("mobilenet_v3_small", 160),
    Candidate("mobilenet_v3_small", 224),
    Candidate("mobilenet_v3_large", 128),
)
CLASSES, IMAGES = ("a", "b", "c"), 4


def write(candidate: Candidate, folder: Path) -> Path:
    """Convert a candidate with random weights, unless the folder has it; return the file."""
    path = folder / f"{candidate.name().replace(' ', '-')}.tflite"
    if not path.exists():
        path.write_bytes(_converted(candidate))
    return path


def _converted(candidate: Candidate) -> bytes:
    from edge_runtime import ModelSpec
    from export.convert.converter import Converter
    from trainer.networks import models

    side = candidate.side
    spec = ModelSpec(height=side, width=side, labels=CLASSES, output="softmax")
    if candidate.model in {"cnn", "cnn_bn"}:
        model = getattr(models, f"build_{candidate.model}")(spec)
    else:
        model = models.build_untrained(candidate.model, spec, alpha=candidate.alpha, dropout=0.2, last=candidate.last)
    noise = np.random.default_rng(0).integers(0, 256, (IMAGES, side, side, 3)).astype(np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        return Converter(model, spec, noise, Path(folder)).write("int8.tflite").path.read_bytes()


if __name__ == "__main__":
    for item in CANDIDATES:
        print(write(item, Path(sys.argv[1])), flush=True)
