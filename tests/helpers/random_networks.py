"""Random small classifiers, written as others write them, with what they compute by a way of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ACTIVATIONS = ("relu", "relu6", "swish", "hard_sigmoid", "tanh", "elu", "leaky_relu", "gelu", "linear")
RANGES = ("-1..1", "0..1", "0..255")
ENDS = ("softmax", "logits", "softmax, cast", "sigmoid")
FORMS = ("keras", "h5", "keras 2 h5", "keras 2 keras", "saved_model", "saved_model uint8", "saved_model batch 1")
POLICIES = ("float32", "float32", "float32", "mixed_float16", "mixed_bfloat16")
RESIZES = ("stretch", "crop", "pad")


@dataclass(frozen=True)
class RandomNetwork:
    """A file, and what its user states about it.

    Attributes:
        path: the model.
        labels: the file of labels.
        data: a folder of labelled images.
        input_range: the range of its input.
        resize: how images are resized.
        reference: from uint8 images (N, height, width, 3) to probabilities, by the library that wrote the file, in
            float32.
        description: what was chosen.

    """

    path: Path
    labels: Path
    data: Path
    input_range: str
    resize: str
    reference: Callable[[np.ndarray], np.ndarray]
    description: str


def random_network(seed: int, folder: Path) -> RandomNetwork:
    """Write a network, its labels and its images; equal seeds give equal ones."""
    import keras
    import tf_keras

    rng = np.random.default_rng(seed)
    form, end, policy, input_range, resize = (
        str(rng.choice(choices)) for choices in (FORMS, ENDS, POLICIES, RANGES, RESIZES)
    )
    input_range = "0..255" if "uint8" in form else input_range
    library = tf_keras if "keras 2" in form else keras
    library.utils.set_random_seed(seed)
    classes = 2 if end == "sigmoid" else int(rng.integers(2, 6))
    side = tuple(int(value) for value in rng.integers(12, 40, 2))
    names = [f"class {index}" for index in range(classes)]
    data = pictures(folder / "photos", names, rng)
    model = fitted(library, rng, side, policy, (classes, end), data, input_range)
    path = save(model, folder, form, side)
    exact = in_float32(model, policy)
    (folder / "labels.txt").write_text("".join(f"{name}\n" for name in names))
    return RandomNetwork(
        path,
        folder / "labels.txt",
        data,
        input_range,
        resize,
        lambda pixels: probabilities(exact, pixels, input_range, end),
        f"{form}, {end}, {policy}, {input_range}, {resize}, {side[0]}x{side[1]}, {classes} classes",
    )


def pictures(folder: Path, names: list[str], rng: np.random.Generator, each: int = 16) -> Path:
    """Write images whose colour depends on the class."""
    colours = rng.integers(30, 226, (len(names), 3))
    for name, colour in zip(names, colours, strict=True):
        (folder / name).mkdir(parents=True)
        for number in range(each):
            noise = rng.integers(-25, 26, (*rng.integers(30, 60, 2), 3))
            Image.fromarray((colour + noise).clip(0, 255).astype(np.uint8)).save(folder / name / f"{name} {number}.png")
    return folder


def fitted(
    library: Any,
    rng: np.random.Generator,
    side: tuple[int, ...],
    policy: str,
    head: tuple[int, str],
    data: Path,
    input_range: str,
) -> Any:
    """Build a random network and fit its last layer to the images by least squares."""
    layers = library.layers
    classes, end = head
    if policy != "float32":
        library.mixed_precision.set_global_policy(policy)
    try:
        image = layers.Input((*side, 3))
        features = body(layers, rng, image)
        units = 1 if end == "sigmoid" else classes
        last_type = "float32" if end != "softmax, cast" else None
        last = layers.Dense(units, dtype=last_type, name="scores")
        x = last(features)
        if end.startswith("softmax"):
            x = layers.Activation("softmax", dtype=last_type)(x)
        if end == "sigmoid":
            x = layers.Activation("sigmoid", dtype="float32")(x)
        if end == "softmax, cast":
            x = layers.Activation("linear", dtype="float32")(x)
        model, inner = library.Model(image, x), library.Model(image, features)
    finally:
        library.mixed_precision.set_global_policy("float32")
    pixels, truth = [], []
    for index, folder in enumerate(sorted(data.iterdir())):
        for path in sorted(folder.iterdir()):
            pixels.append(np.asarray(Image.open(path).resize(side[::-1], Image.Resampling.BILINEAR)))
            truth.append(index)
    known = np.asarray(inner(scaled(np.stack(pixels), input_range), training=False), np.float64)
    centre, spread = known.mean(0), known.std(0) + 1e-3
    wanted = np.eye(classes)[truth] * 8 - 4 if units > 1 else np.array(truth)[:, None] * 8.0 - 4
    inputs = np.concatenate([(known - centre) / spread, np.ones((len(known), 1))], 1)
    solved = np.linalg.solve(inputs.T @ inputs + np.eye(inputs.shape[1]), inputs.T @ wanted)
    weights = solved[:-1] / spread[:, None]
    last.set_weights([weights.astype(np.float32), (solved[-1] - centre @ weights).astype(np.float32)])
    return model


def in_float32(model: Any, policy: str) -> Any:
    """Return the same network without mixed precision."""
    if policy == "float32":
        return model
    copy = type(model).from_config(json.loads(json.dumps(model.get_config()).replace(policy, "float32")))
    copy.set_weights(model.get_weights())
    return copy


def body(layers: Any, rng: np.random.Generator, x: Any) -> Any:
    """Return the features of a few random layers."""
    for _ in range(int(rng.integers(1, 4))):
        width, kernel = int(rng.integers(3, 17)), int(rng.choice([1, 3]))
        kind = str(rng.choice(["conv", "depthwise", "separable", "residual", "pool"]))
        padding = str(rng.choice(["same", "valid"]))
        if kind == "conv":
            x = layers.Conv2D(width, kernel, strides=int(rng.integers(1, 3)), padding=padding)(x)
        elif kind == "depthwise":
            x = layers.DepthwiseConv2D(kernel, padding=padding, depth_multiplier=int(rng.integers(1, 3)))(x)
        elif kind == "separable":
            x = layers.Conv2D(width, 1)(layers.DepthwiseConv2D(kernel, padding=padding)(x))
        elif kind == "residual":
            x = layers.Conv2D(width, kernel, padding="same")(x)
            x = layers.Add()([x, layers.Conv2D(width, 3, padding="same")(layers.ReLU()(x))])
        else:
            x = (layers.MaxPooling2D if rng.random() < 0.5 else layers.AveragePooling2D)(2, padding="same")(x)
        if rng.random() < 0.5:
            x = layers.BatchNormalization()(x)
        activation = str(rng.choice(ACTIVATIONS))
        x = (
            layers.LeakyReLU()(x)
            if activation == "leaky_relu"
            else layers.ReLU(6.0)(x)
            if activation == "relu6"
            else layers.Activation(activation)(x)
        )
        if rng.random() < 0.3:
            x = layers.Dropout(0.3)(x)
    if rng.random() < 0.7:
        return (layers.GlobalAveragePooling2D if rng.random() < 0.7 else layers.GlobalMaxPooling2D)()(x)
    return layers.Flatten()(layers.AveragePooling2D(3, padding="same")(x))


def scaled(pixels: np.ndarray, input_range: str) -> np.ndarray:
    """Return pixels 0..255 in another range, float32."""
    values = pixels.astype(np.float32)
    return {"0..255": values, "0..1": values / 255, "-1..1": values / 127.5 - 1}[input_range]


def probabilities(model: Any, pixels: np.ndarray, input_range: str, end: str) -> np.ndarray:
    """Compute what the written file means, without the export: float64 (N, classes)."""
    outputs = np.asarray(model(scaled(pixels, input_range), training=False), np.float64)
    if end == "logits":
        outputs = np.exp(outputs - outputs.max(1, keepdims=True))
        outputs /= outputs.sum(1, keepdims=True)
    return np.concatenate([1 - outputs, outputs], 1) if end == "sigmoid" else outputs


def save(model: Any, folder: Path, form: str, side: tuple[int, ...]) -> Path:
    """Write the model in a form."""
    if not form.startswith("saved_model"):
        path = folder / f"model.{form.rsplit(maxsplit=1)[-1]}"
        model.save(path)
        return path
    import tensorflow as tf

    kind = tf.uint8 if "uint8" in form else tf.float32
    spec = tf.TensorSpec((1 if "batch" in form else None, *side, 3), kind, name="image")
    serve = tf.function(
        lambda image: {"scores": model(tf.cast(image, tf.float32), training=False)}, input_signature=[spec]
    )
    tf.saved_model.save(model, str(folder / "model"), signatures=serve)
    return folder / "model"
