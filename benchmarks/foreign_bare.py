"""Run a foreign model file on photographs with NumPy, Pillow and the file's own runtime only.

    python benchmarks/foreign_bare.py JOB.json OUT.npy

JOB.json states the file, its runtime, how its input is computed from pixels, and the photographs. Nothing of Edgewise
is imported, so that a mistake there cannot be made here, too. Writes probabilities, float32 (photographs, classes).
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Run = Callable[[NDArray[Any]], NDArray[Any]]

AXES_OF_PIXELS = 4


def values_of(path: str, job: dict[str, Any]) -> NDArray[Any]:
    """Return the input of one photograph, (1, height, width, channels) or (1, channels, height, width)."""
    height, width = job["size"]
    with Image.open(path) as image:
        image.draft(None, (width, height))
        small = image.convert("RGB").resize((width, height), Image.Resampling.BILINEAR, reducing_gap=1.0)
    pixels = np.asarray(small.convert("L"))[..., None] if job["grey"] else np.asarray(small)
    if job["bgr"]:
        pixels = pixels[..., ::-1]
    values = (pixels.astype(np.float32) - np.float32(job["mean"])) / np.float32(job["std"])
    if job["channels_first"]:
        values = values.transpose(2, 0, 1)
    return np.ascontiguousarray(values[None])


def tflite(file: str, *, as_pixels: bool = False) -> Run:
    """Open a TFLite file; quantize its input, except where it takes pixels, and dequantize its output."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=file)
    interpreter.allocate_tensors()
    given, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    def run(values: NDArray[Any]) -> NDArray[Any]:
        scale, zero = given["quantization"]
        if given["dtype"] != np.float32 and scale and not as_pixels:
            limits = np.iinfo(given["dtype"])
            values = np.clip(np.round(values / scale) + zero, limits.min, limits.max)
        interpreter.set_tensor(given["index"], values.astype(given["dtype"]).reshape(given["shape"]))
        interpreter.invoke()
        scores = interpreter.get_tensor(result["index"])
        scale, zero = result["quantization"]
        return (scores.astype(np.float32) - zero) * scale if scale else scores

    return run


def onnx(file: str) -> Run:
    """Open an ONNX file."""
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    kinds = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}

    def run(values: NDArray[Any]) -> NDArray[Any]:
        values = values if len(given.shape) == AXES_OF_PIXELS else values[:, 0]
        if isinstance(given.shape[0], int):
            values = np.repeat(values, given.shape[0], axis=0)
        return np.asarray(session.run(None, {given.name: values.astype(kinds[given.type])})[0])[:1]

    return run


def keras(file: str) -> Run:
    """Open a file of Keras 3."""
    import keras
    import tensorflow as tf

    model = keras.saving.load_model(file, compile=False)
    infer = tf.function(lambda values: model(values, training=False))
    return lambda values: np.asarray(infer(tf.constant(values)))


def keras2(file: str) -> Run:
    """Open a file of Keras 2."""
    import tensorflow as tf
    import tf_keras

    model = tf_keras.models.load_model(file, compile=False)
    infer = tf.function(lambda values: model(values, training=False))
    return lambda values: np.asarray(infer(tf.constant(values)))


def savedmodel(folder: str) -> Run:
    """Open a SavedModel."""
    import tensorflow as tf

    loaded = tf.saved_model.load(folder)
    serve = loaded.signatures["serving_default"]
    (name, spec), *_ = serve.structured_input_signature[1].items()

    def run(values: NDArray[Any]) -> NDArray[Any]:
        (scores,) = serve(**{name: tf.cast(values, spec.dtype)}).values()
        return np.asarray(scores)

    run.model = loaded  # type: ignore[attr-defined] # its variables must outlive this function
    return run


RUNTIMES: dict[str, Callable[[str], Run]] = {
    "LiteRT": tflite,
    "LiteRT, pixels": partial(tflite, as_pixels=True),
    "ONNX Runtime": onnx,
    "Keras 3": keras,
    "Keras 2": keras2,
    "TensorFlow": savedmodel,
}


def main() -> None:
    """Run the job."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    run = RUNTIMES[job["runtime"]](job["file"])
    scores = np.stack([np.float32(run(values_of(path, job))).reshape(-1) for path in job["photographs"]])
    if job["logits"]:
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        scores /= scores.sum(axis=1, keepdims=True)
    np.save(sys.argv[2], scores)


if __name__ == "__main__":
    main()
