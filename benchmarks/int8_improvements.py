"""On which models does each improvement of int8.tflite help?

    python benchmarks/int8_improvements.py PHOTOGRAPHS MODEL[=INPUT_RANGE] ... [--name NAME ...]

MODEL is a RUN of edge-train, whose own photographs are used, or a model that others wrote, such as
model.h5=-1..1, which is calibrated with 100 of PHOTOGRAPHS and measured on 300 others. Each form is compared with the
float32 file: how often the top class is the same, and the mean difference of a probability. int16x8 has the weights of
int8 and 16-bit activations, so it shows what the weights alone lose. Writes results/int8_improvements.json,
in which the rows of other networks stay.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import machine
import numpy as np
from foreign import chosen

HERE = Path(__file__).resolve().parent
sys.path[:] = [path for path in sys.path if Path(path).resolve() != HERE]  # export.py hides export

from edge_runtime.image.preprocess import preprocess  # noqa: E402
from edge_runtime.model.spec import ModelSpec  # noqa: E402
from export.convert.tflite import freeze, to_tflite  # noqa: E402
from export.errors import ExportError  # noqa: E402
from export.importing.graph_model import graph_model  # noqa: E402
from export.importing.process import import_model  # noqa: E402
from export.runtimes.process import run_on_device  # noqa: E402
from export.sources.foreign_input import read_graph_ends, read_head  # noqa: E402
from export.sources.keras_model import pixel_classifier  # noqa: E402
from export.sources.reading import RANGES  # noqa: E402
from export.sources.run import read_run  # noqa: E402

if TYPE_CHECKING:
    from edge_runtime.image.preprocess import Pixels

CALIBRATION, HELD_OUT, SLOW = 100, 300, 60  # images; 16-bit activations have no fast kernels
FORMS: tuple[tuple[str, ...], ...] = (
    (),
    ("corrected biases",),
    ("narrow ranges",),
    ("narrow ranges", "corrected biases"),
    ("equalized",),
    ("equalized", "corrected biases"),
)


class Network(NamedTuple):
    """A classifier of pixels, with its images."""

    frozen: Any
    spec: ModelSpec
    calibration: Pixels
    holdout: Pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path, help="a folder of photographs, which may have subfolders")
    parser.add_argument("models", nargs="+", metavar="MODEL[=INPUT_RANGE]")
    parser.add_argument("--name", nargs="+", default=[], help="what the table says about each model")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "int8_improvements.json")
    args = parser.parse_args()
    before = json.loads(args.out.read_text(encoding="utf-8"))["networks"] if args.out.exists() else []
    rows = {row["network"]: row for row in before}
    for index, model in enumerate(args.models):
        network = opened(model, args.photographs)
        name = args.name[index] if index < len(args.name) else Path(model.partition("=")[0]).name
        rows[name] = {"network": name, "images": len(network.holdout), "forms": measured(network)}
        write(args.out, list(rows.values()))


def write(out: Path, rows: list[dict[str, Any]]) -> None:
    """Write the rows that exist."""
    result = {
        "machine": machine.facts(),
        "commit": subprocess.check_output(["git", "rev-parse", "--short", "HEAD"], cwd=HERE, text=True).strip(),
        "date": datetime.now(UTC).date().isoformat(),
        "networks": rows,
    }
    out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def opened(model: str, photographs: Path) -> Network:
    """Open a RUN, or a model of others with the photographs."""
    path, _, input_range = model.partition("=")
    if not input_range:
        source = read_run(Path(path), calibration_images=CALIBRATION)
        return Network(freeze(source.model, source.spec), source.spec, source.calibration, source.holdout[:HELD_OUT])
    graph = import_model(Path(path)).graph.content
    network = graph_model(graph, Path(path))
    ends = read_graph_ends(network, graph)
    labels = tuple(map(str, range(ends.classes)))
    spec = ModelSpec(ends.height, ends.width, labels, "softmax", color="gray" if ends.channels == 1 else "RGB")
    pixels = np.stack([preprocess(item, spec) for item in chosen(photographs, CALIBRATION + HELD_OUT)])
    calibration, holdout = pixels[::4], np.delete(pixels, np.s_[::4], axis=0)
    reading = RANGES[input_range]  # type: ignore[index] # a KeyError says enough
    head = read_head(network, ends, Path(path), holdout, reading)
    classifier = pixel_classifier(network, side=(spec.height, spec.width), reading=reading, head=head)
    return Network(freeze(classifier, spec), spec, calibration, holdout)


def measured(network: Network) -> list[dict[str, Any]]:
    """Convert and measure each form."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.tflite"
        path.write_bytes(to_tflite(network.frozen, "float32", network.calibration, spec=network.spec))
        exact = run_on_device(path, network.spec, network.holdout, "litert").probabilities
        results = []
        for form in (*FORMS, ("int16x8",)):
            results.append({"form": list(form), **compared(network, form, path, exact)})
            print(json.dumps(results[-1]), flush=True)
        return results


def compared(network: Network, form: tuple[str, ...], path: Path, exact: Any) -> dict[str, Any]:  # noqa: ANN401 - an array
    """Write a form and compare it with the float32 file's probabilities."""
    started = time.perf_counter()
    is_slow = form == ("int16x8",)
    precision, improvements = ("int16x8", ()) if is_slow else ("int8", form)
    try:
        content = to_tflite(
            network.frozen,
            precision,  # type: ignore[arg-type] # one of its names
            network.calibration,
            spec=network.spec,
            improvements=improvements,  # type: ignore[arg-type] # the same
        )
    except ExportError as problem:
        return {"failed": str(problem)}
    seconds = time.perf_counter() - started
    path.write_bytes(content)
    some = np.linspace(0, len(exact) - 1, min(SLOW, len(exact)) if is_slow else len(exact)).astype(int)
    found = run_on_device(path, network.spec, network.holdout[some], "litert").probabilities
    return {
        "agreement": float(np.mean(found.argmax(1) == exact[some].argmax(1))),
        "mean_difference": float(np.abs(found - exact[some]).mean()),
        "images": len(some),
        "seconds": round(seconds, 1),
    }


if __name__ == "__main__":
    main()
