"""Write the model files of foreign.py that have no other source, with random weights from fixed seeds.

    python benchmarks/foreign_networks.py FOLDER WEIGHTS PHOTOGRAPH...

Those of Teachable Machine's structure have a backbone with the pretrained WEIGHTS, and are fitted to the photographs'
folders. The last layer's outputs of the others are standardized on the photographs, so that the classes differ between
them. An existing file is kept. A file that cannot be written is reported and left out.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
import tf_keras
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Make = Callable[[Path, "Photographs"], None]

CLASSES = 10
TEACHABLE_SIDE = 160
LIGHT = ("squeezenet", "shufflenet", "densenet121", "inception_v1")
IMAGENET = ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375])
CAFFE = ([103.939, 116.779, 123.68], 1.0)


class Photographs:
    """Photographs as the inputs of a network, in one folder for each class; and the weights of a pretrained one."""

    def __init__(self, weights: Path, paths: Sequence[str]) -> None:
        self.weights, self.paths = weights, paths
        self.folders = sorted({Path(path).parent.name for path in paths})
        self.truth = [self.folders.index(Path(path).parent.name) for path in paths]

    def values(self, side: int, mean: Any = 0.0, std: Any = 1.0, *, grey: bool = False) -> NDArray[np.float32]:  # noqa: ANN401 - a number or three
        """Return float32 (N, side, side, channels)."""
        images = [Image.open(path).convert("L" if grey else "RGB").resize((side, side)) for path in self.paths]
        pixels = np.stack([np.asarray(image, np.float32) for image in images])
        return np.float32(((pixels[..., None] if grey else pixels) - mean) / std)


def small(library: Any, side: int, *, channels: int = 3, front: Sequence[Any] = (), logits: bool = False) -> Any:  # noqa: ANN401 - Keras 2 or 3
    """Return a small convolutional network of either Keras."""
    library.utils.set_random_seed(7)
    layers = library.layers
    x = image = library.Input((side, side, channels))
    for layer in front:
        x = layer(x)
    for filters in (16, 32, 64):
        x = layers.Conv2D(filters, 3, strides=2, padding="same")(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(CLASSES, name="scores")(x)
    if not logits:
        x = layers.Activation("softmax", dtype="float32")(x)
    return library.Model(image, x)


def headed(library: Any, backbone: Any) -> Any:  # noqa: ANN401 - Keras 2 or 3
    """Return a backbone with a dense layer and a softmax."""
    scores = library.layers.Dense(CLASSES, name="scores")(backbone.output)
    return library.Model(backbone.input, library.layers.Activation("softmax", dtype="float32")(scores))


def application(library: Any, name: str, side: int, **options: Any) -> Any:  # noqa: ANN401 - Keras 2 or 3
    """Return a network of keras.applications without pretrained weights."""
    library.utils.set_random_seed(7)
    make = getattr(library.applications, name)
    return headed(library, make(input_shape=(side, side, 3), include_top=False, weights=None, pooling="avg", **options))


def settle(library: Any, model: Any, values: NDArray[np.float32]) -> None:  # noqa: ANN401 - Keras 2 or 3
    """Set the moving statistics of all batch normalizations; with the initial ones, deep features vanish."""
    for layer in model.layers:
        if isinstance(layer, library.layers.BatchNormalization):
            layer.momentum = 0.0
    model(values, training=True)


def standardized(library: Any, model: Any, values: NDArray[np.float32]) -> Any:  # noqa: ANN401 - Keras 2 or 3
    """Scale the last dense layer so that each class's score has mean 0 and deviation 3 on these inputs."""
    settle(library, model, values)
    head = next(layer for layer in reversed(model.layers) if isinstance(layer, library.layers.Dense))
    scores = np.float32(library.Model(model.input, head.output).predict(values, verbose=0))
    scale = 3 / np.maximum(scores.std(axis=0), 1e-6)
    kernel, bias = head.get_weights()
    head.set_weights([kernel * scale, (bias - scores.mean(axis=0)) * scale])
    return model


def pretrained(weights: Path) -> Any:  # noqa: ANN401 - a model of Keras 2
    """Return MobileNetV2 without its top in Keras 2, with the weights of a file of Keras 3."""
    options: dict[str, Any] = {"input_shape": (TEACHABLE_SIDE, TEACHABLE_SIDE, 3), "include_top": False}
    found = keras.applications.MobileNetV2(**options, weights=weights)
    base = tf_keras.applications.MobileNetV2(**options, weights=None)
    for mine, its in zip(base.layers, found.layers, strict=True):
        mine.set_weights(its.get_weights())
    return base


def teachable(photographs: Photographs) -> Any:  # noqa: ANN401 - a model of Keras 2
    """Return a network as Teachable Machine makes it: a pretrained backbone, nested, with a small head that is fitted.

    The last layer, which has no bias, is fitted to the photographs' folders by ridge regression.
    """
    tf_keras.utils.set_random_seed(7)
    values = photographs.values(TEACHABLE_SIDE, 127.5, 127.5)
    pooled = tf_keras.Sequential([pretrained(photographs.weights), tf_keras.layers.GlobalAveragePooling2D()])
    features = pooled.predict(values, verbose=0)
    hidden = tf_keras.layers.Dense(100, activation="relu", input_shape=features.shape[1:])
    last = tf_keras.layers.Dense(len(photographs.folders), use_bias=False, name="scores")
    head = tf_keras.Sequential([hidden, last, tf_keras.layers.Activation("softmax")])
    units = np.asarray(hidden(features), np.float64)
    wanted = 8 * np.eye(len(photographs.folders))[photographs.truth] - 4
    last.set_weights([np.linalg.solve(units.T @ units + 10 * np.eye(units.shape[1]), units.T @ wanted)])
    return tf_keras.Sequential([pooled, head])


def write_keras(path: Path, photographs: Photographs, *, library: Any, model: Any, **values: Any) -> None:  # noqa: ANN401 - Keras 2 or 3
    """Build a network, standardize it, and save it."""
    built = model()
    built = standardized(library, built, photographs.values(built.input_shape[1], **values))
    if path.suffix:
        built.save(path)
    else:
        built.export(path, verbose=False)


def mixed() -> Any:  # noqa: ANN401 - a model of Keras 3
    """Return a network that computes in mixed_float16 and ends in float32."""
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        return small(keras, 64)
    finally:
        keras.mixed_precision.set_global_policy("float32")


def preprocessing() -> Any:  # noqa: ANN401 - a model of Keras 3
    """Return a network that augments and normalizes inside."""
    layers = keras.layers
    inside = layers.Normalization(mean=[120.0, 115.0, 100.0], variance=[60.0**2, 58.0**2, 57.0**2])
    return small(keras, 64, front=[layers.RandomFlip(), layers.RandomRotation(0.1), inside])


def write_teachable(path: Path, photographs: Photographs) -> None:
    """Write keras_model.h5 as Teachable Machine does."""
    teachable(photographs).save(path)


def write_module(path: Path, photographs: Photographs) -> None:
    """Write a SavedModel of a tf.Module that takes uint8."""
    model = standardized(keras, small(keras, 64), photographs.values(64, 127.5, 127.5))
    module = tf.Module()
    module.model = model
    signature = tf.TensorSpec((None, 64, 64, 3), tf.uint8, name="image")
    module.serve = tf.function(
        lambda image: {"scores": model(tf.cast(image, tf.float32) / 127.5 - 1)}, input_signature=[signature]
    )
    tf.saved_model.save(module, str(path), signatures=module.serve)


def write_tflite(path: Path, photographs: Photographs, *, kind: str, teach: bool = False) -> None:
    """Convert a network that takes -1..1: as it is, with float16 weights, or quantized with inputs of an 8-bit type."""
    values = photographs.values(TEACHABLE_SIDE if teach else 64, 127.5, 127.5)
    if teach:
        converter = tf.lite.TFLiteConverter.from_keras_model(teachable(photographs))
    else:
        converter = tf.lite.TFLiteConverter.from_keras_model(standardized(keras, small(keras, 64), values))
    if kind != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if kind in {"int8", "uint8"}:
        full = [np.full_like(values[:1], -1), np.full_like(values[:1], 1)]
        converter.representative_dataset = lambda: ([row] for row in [*values[:, None], *full])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = getattr(tf, kind)
    path.write_bytes(converter.convert())


def write_onnx(
    path: Path,
    photographs: Photographs,
    *,
    mean: Any = 127.5,  # noqa: ANN401 - a number or three
    std: Any = 127.5,  # noqa: ANN401 - a number or three
    first: bool = True,
    logits: bool = False,
    grey: bool = False,
    batch: int | None = None,
) -> None:
    """Convert a network with tf2onnx, with channels first or last."""
    side = 28 if grey else 64
    model = small(keras, side, channels=1 if grey else 3, logits=logits)
    model = standardized(keras, model, photographs.values(side, mean, std, grey=grey))
    signature = (tf.TensorSpec((batch, *model.input_shape[1:]), tf.float32, name="input"),)
    names = ["input"] if first else None
    function = tf.function(lambda image: model(image, training=False), input_signature=signature)
    tf2onnx.convert.from_function(function, signature, opset=13, inputs_as_nchw=names, output_path=str(path))


def write_light(path: Path, _: Photographs, *, name: str) -> None:
    """Fill one of the onnx package's ImageNet networks, which have constant weights, with random ones."""
    folder = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    model = onnx.load(folder / f"light_{name}.onnx")
    shapes = {item.name: onnx.numpy_helper.to_array(item) for item in model.graph.initializer}
    random, nodes = np.random.default_rng(7), list(model.graph.node)
    for node in nodes:
        if node.op_type != "ConstantOfShape" or len(shape := tuple(shapes[node.input[0]])) == 1:
            continue
        weights = random.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape).astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(weights, node.output[0]))
        model.graph.node.remove(node)
    onnx.save(model, path)


KERAS2, KERAS3 = partial(write_keras, library=tf_keras), partial(write_keras, library=keras)
HALF: dict[str, Any] = {"mean": 127.5, "std": 127.5}
FILES: dict[str, Make] = {
    "cnn.keras": partial(KERAS3, model=partial(small, keras, 64), std=255),
    "rescaling.keras": partial(
        KERAS3, model=lambda: small(keras, 64, front=[keras.layers.Rescaling(1 / 127.5, offset=-1)])
    ),
    "preprocessing.keras": partial(KERAS3, model=preprocessing),
    "mixed_float16.keras": partial(KERAS3, model=mixed, std=255),
    "logits.keras": partial(KERAS3, model=partial(small, keras, 64, logits=True), std=255),
    "mobilenet_v2.keras": partial(KERAS3, model=partial(application, keras, "MobileNetV2", 96, alpha=0.35), **HALF),
    "efficientnet_v2.h5": partial(KERAS3, model=partial(application, keras, "EfficientNetV2B0", 64)),
    "grey.keras": partial(KERAS3, model=partial(small, keras, 28, channels=1), std=255, grey=True),
    "savedmodel": partial(KERAS3, model=partial(small, keras, 64), **HALF),
    "tf_module": write_module,
    "keras2_mobilenet.h5": partial(KERAS2, model=partial(application, tf_keras, "MobileNet", 96, alpha=0.25), **HALF),
    "keras2_cnn.keras": partial(KERAS2, model=partial(small, tf_keras, 64), std=255),
    "keras_model.h5": write_teachable,
    "model_unquant.tflite": partial(write_tflite, kind="float32", teach=True),
    "model_quant.tflite": partial(write_tflite, kind="uint8", teach=True),
    "int8.tflite": partial(write_tflite, kind="int8"),
    "float16.tflite": partial(write_tflite, kind="float16"),
    "torchvision_like.onnx": partial(write_onnx, mean=IMAGENET[0], std=IMAGENET[1], logits=True),
    "channels_last.onnx": partial(write_onnx, first=False),
    "batch8.onnx": partial(write_onnx, batch=8),
    "caffe_like.onnx": partial(write_onnx, mean=CAFFE[0], std=CAFFE[1]),
    "grey.onnx": partial(write_onnx, std=255.0, mean=0.0, grey=True),
    **{f"{name}.onnx": partial(write_light, name=name) for name in LIGHT},
}


def main() -> None:
    """Write the missing files."""
    folder, photographs = Path(sys.argv[1]), Photographs(Path(sys.argv[2]), sys.argv[3:])
    for name, make in FILES.items():
        if not (folder / name).exists():
            try:
                make(folder / name, photographs)
            except Exception as problem:  # noqa: BLE001 - a row that is not available must not end the others
                print(f"{name}: not written: {problem!r:.300}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
