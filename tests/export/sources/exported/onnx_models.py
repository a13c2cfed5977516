"""Small ONNX classifiers of red, green and blue pictures, with ends as other exporters write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

LABELS = ("red", "green", "blue")
MEAN, STD = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])


def colour_onnx(
    path: Path,
    *,
    shape=(1, 3, 16, 16),
    mean=MEAN,
    std=STD,
    bgr=False,
    kind=TensorProto.FLOAT,
    end="softmax",
    gain=8.0,
    opset=13,
    output_shape=None,
    reshape=None,
    properties=None,
    external=False,
):
    """Write a classifier that undoes (pixel / 255 - mean) / std and compares the mean of each channel.

    Args:
        path: the file.
        shape: of its input; the place of the 3 shows the layout, a text or None is a dimension that is not fixed.
        mean: of each channel, on 0..1, in the model's order.
        std: the same.
        bgr: whether it takes blue first; its outputs are red, green, blue nevertheless.
        kind: type of the input.
        end: "softmax", "sigmoid", "logits", "relu".
        gain: how certain it is.
        opset: its operator set.
        output_shape: such as (1, 3, 1, 1); None for (N, 3).
        reshape: a constant shape to which the pooled values are reshaped, such as (8, 3).
        properties: metadata_props.
        external: store the weights in another file.
    """
    nchw = shape[1] == 3
    per_channel = (lambda x: np.asarray(x, np.float32).reshape(3, 1, 1)) if nchw else np.float32
    order = np.eye(3, dtype=np.float32)[::-1] if bgr else np.eye(3, dtype=np.float32)
    constants = {
        "std": per_channel(std),
        "mean": per_channel(mean),
        "weights": (gain * (order - 1 / 3)).astype(np.float32),
        "ballast": np.zeros((64, 3), np.float32),
    }
    nodes = [helper.make_node("Cast", ["input"], ["real"], to=TensorProto.FLOAT)]
    nodes += [helper.make_node("Mul", ["real", "std"], ["a"]), helper.make_node("Add", ["a", "mean"], ["b"])]
    nodes.append(helper.make_node("ReduceMean", ["b"], ["pooled"], axes=[2, 3] if nchw else [1, 2], keepdims=0))
    current = "pooled"
    if reshape:
        constants["target"] = np.array(reshape, np.int64)
        nodes.append(helper.make_node("Reshape", [current, "target"], ["reshaped"]))
        current = "reshaped"
    nodes.append(helper.make_node("MatMul", [current, "weights"], ["scores"]))
    current = "scores"
    operator = {"softmax": "Softmax", "sigmoid": "Sigmoid", "relu": "Relu"}.get(end)
    if operator:
        nodes.append(helper.make_node(operator, [current], ["p"], **({"axis": 1} if end == "softmax" else {})))
        current = "p"
    if output_shape:
        constants["output_shape"] = np.array(output_shape, np.int64)
        nodes.append(helper.make_node("Reshape", [current, "output_shape"], ["q"]))
        current = "q"
    nodes.append(helper.make_node("Identity", [current], ["output"]))
    given = output_shape or (shape[0], 3)
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("input", kind, shape)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, given)],
        [numpy_helper.from_array(value, name) for name, value in constants.items() if name != "ballast"],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    for key, value in (properties or {}).items():
        model.metadata_props.add(key=key, value=value)
    onnx.save(model, path, save_as_external_data=external, size_threshold=0, location="weights.bin")
    (path.parent / "labels.txt").write_text("".join(f"{label}\n" for label in LABELS))
    return path


def colour_pictures(folder: Path, *, each=8, size=(40, 30), labels=LABELS) -> Path:
    """Write noisy pictures in which one channel is the brightest, in one folder per label."""
    rng = np.random.default_rng(0)
    for channel, label in enumerate(labels):
        (folder / label).mkdir(parents=True)
        for number in range(each):
            pixels = rng.integers(0, 150, (size[1], size[0], 3))
            pixels[..., channel] += 60
            pixels[:2], pixels[-2:] = 0, 255
            Image.fromarray(pixels.astype(np.uint8)).save(folder / label / f"{number}.png")
    return folder


def expected_probabilities(pixels: np.ndarray, gain=8.0) -> np.ndarray:
    """Return what a correct bundle computes for RGB pixels, uint8 (N, height, width, 3)."""
    means = pixels.reshape(len(pixels), -1, 3).mean(axis=1) / 255
    scores = gain * (means - means.mean(axis=1, keepdims=True))
    values = np.exp(scores - scores.max(axis=1, keepdims=True))
    return values / values.sum(axis=1, keepdims=True)
