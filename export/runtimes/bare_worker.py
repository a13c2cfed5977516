"""The process that `export.runtimes.bare` starts: MODEL FOLDER.

It reads task.json, which names the readings, and pixels.npy from the folder and writes output-N.npy. Nothing of
`edge_runtime`'s backends is used, so that what they compute can be compared with it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_runtime.backends.names import default_threads
from export.sources.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from edge_runtime.image.preprocess import Pixels

    Run = Callable[[NDArray[np.float32]], NDArray[Any]]


def main(model: str, folder: str) -> int:
    """Run the model on every input; return 0, or 1 with the reason on stderr."""
    scratch = Path(folder)
    task = json.loads((scratch / "task.json").read_text(encoding="utf-8"))
    try:
        opened = _onnx(model) if model.endswith(".onnx") else _tflite(model, task["shape"])
        pixels = np.load(scratch / "pixels.npy")
        for index, stated in enumerate(task["readings"]):
            reading = Reading(stated["name"], tuple(stated["mean"]), tuple(stated["std"]), stated["bgr"])
            outputs = _in_batches(opened, pixels, reading, task)
            np.save(scratch / f"output-{index}.npy", outputs)
    except Exception as problem:  # noqa: BLE001 - the two runtimes' exceptions share no base class
        print(" ".join(str(problem).split()) or type(problem).__name__, file=sys.stderr)
        return 1
    return 0


def _in_batches(run: Run, pixels: Pixels, reading: Reading, task: dict[str, Any]) -> NDArray[np.float32]:
    """Run pixels, (N, height, width, channels), in batches of the model's size and layout: float32 (N, units)."""
    batch, outputs = task["shape"][0], []
    for start in range(0, len(pixels), batch):
        part = reading.apply(pixels[start : start + batch])
        filled = np.concatenate([part, np.repeat(part[-1:], batch - len(part), axis=0)])
        ordered = filled.transpose(0, 3, 1, 2) if task["layout"] == "nchw" else filled
        outputs.append(run(np.ascontiguousarray(ordered).reshape(task["shape"])).reshape(batch, -1)[: len(part)])
    return np.asarray(np.concatenate(outputs), np.float32)


def _onnx(model: str) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    taken = session.get_inputs()[0]
    types = {"tensor(float16)": np.float16, "tensor(double)": np.float64, "tensor(uint8)": np.uint8}
    kind = types.get(taken.type, np.float32)

    def run(values: NDArray[np.float32]) -> NDArray[Any]:
        real = np.rint(values) if kind is np.uint8 else values
        output: NDArray[Any] = session.run(None, {taken.name: real.astype(kind)})[0]
        return output

    return run


def _tflite(model: str, shape: list[int]) -> Run:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ModuleNotFoundError:
        from tflite_runtime.interpreter import Interpreter
    interpreter = Interpreter(model, num_threads=default_threads())
    index = interpreter.get_input_details()[0]["index"]
    if interpreter.get_input_details()[0]["shape"].tolist() != shape:
        interpreter.resize_tensor_input(index, shape)
    interpreter.allocate_tensors()
    taken, given = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    def run(values: NDArray[np.float32]) -> NDArray[Any]:
        interpreter.set_tensor(index, _quantized(values, taken))
        interpreter.invoke()
        output: NDArray[Any] = interpreter.get_tensor(given["index"])
        scale, zero_point = given["quantization"]
        return (output.astype(np.float64) - zero_point) * scale if scale else output

    return run


def _quantized(values: NDArray[np.float32], detail: dict[str, Any]) -> NDArray[Any]:
    kind = np.dtype(detail["dtype"])
    if kind.kind == "f":
        return values.astype(kind)
    scale, zero_point = detail["quantization"]
    levels = np.rint(values.astype(np.float64) / (scale or 1.0)) + zero_point
    return np.asarray(levels.clip(np.iinfo(kind).min, np.iinfo(kind).max), kind)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
