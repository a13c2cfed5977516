"""On which models does each improvement of int8.tflite help? MODEL.keras INPUT_RANGE DATA.npz.

DATA.npz has `calibration` and `holdout`, uint8 images (N, height, width, 3). It prints one JSON line per form: the
agreement of its top class with the float32 file's, the mean difference of a probability, and the seconds it took.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path[:] = [
    path for path in sys.path if Path(path).resolve() != Path(__file__).resolve().parent
]  # export.py hides export

from edge_runtime.model.spec import ModelSpec  # noqa: E402
from export.convert.tflite import freeze, to_tflite  # noqa: E402
from export.errors import ExportError  # noqa: E402
from export.importing.graph_model import final_operation, graph_model  # noqa: E402
from export.importing.process import import_model  # noqa: E402
from export.runtimes.process import run_on_device  # noqa: E402
from export.sources.keras_model import pixel_classifier  # noqa: E402

FORMS = (
    (),
    ("corrected biases",),
    ("narrow ranges",),
    ("narrow ranges", "corrected biases"),
    ("equalized",),
    ("equalized", "corrected biases"),
)


def main(model: str, input_range: str, data: str) -> None:
    with np.load(data) as arrays:
        calibration, holdout = arrays["calibration"], arrays["holdout"]
    height, width = holdout.shape[1:3]
    graph = import_model(Path(model)).graph.content
    head = "softmax" if final_operation(graph) in {"Softmax", "Sigmoid"} else "logits"
    network = pixel_classifier(
        graph_model(graph, Path(model)), side=(height, width), input_range=input_range, head=head
    )
    spec = ModelSpec(height, width, tuple(map(str, range(network.outputs[0].shape[-1]))), "softmax")
    frozen = freeze(network, spec)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.tflite"
        path.write_bytes(to_tflite(frozen, "float32", calibration, spec=spec))
        exact = run_on_device(path, spec, holdout, "litert").probabilities
        for form in FORMS:
            started = time.perf_counter()
            try:
                path.write_bytes(to_tflite(frozen, "int8", calibration, spec=spec, improvements=form))
            except ExportError as problem:
                print(json.dumps({"form": form, "failed": str(problem)}), flush=True)
                continue
            seconds = time.perf_counter() - started
            found = run_on_device(path, spec, holdout, "litert").probabilities
            agreement = float(np.mean(found.argmax(1) == exact.argmax(1)))
            difference = float(np.abs(found - exact).mean())
            result = {"form": form, "agreement": agreement, "mean_difference": difference, "seconds": round(seconds, 1)}
            print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
