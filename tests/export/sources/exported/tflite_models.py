"""Small TFLite classifiers of red, green and blue pictures, with ends as other exporters write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .onnx_models import LABELS, MEAN, STD

if TYPE_CHECKING:
    from pathlib import Path


def colour_tflite(
    path: Path,
    *,
    shape=(1, 16, 16, 3),
    mean=MEAN,
    std=STD,
    bgr=False,
    end="softmax",
    gain=8.0,
    output_shape=None,
    reshape=None,
    samples=None,
    io="float32",
    half=False,
):
    """Write a classifier that undoes (pixel / 255 - mean) / std and compares the mean of each channel.

    Args:
        path: the file.
        shape: of its input; None for a dimension that is not fixed.
        mean: of each channel, on 0..1, in the model's order.
        std: the same.
        bgr: whether it takes blue first; its outputs are red, green, blue nevertheless.
        end: "softmax", "logits", "relu".
        gain: how certain it is.
        output_shape: such as (1, 1, 1, 3); None for (1, 3).
        reshape: a constant shape to which the pooled values are reshaped, such as (8, 64).
        samples: inputs that calibrate int8; None for a float file.
        io: type of the ends of a quantized file.
        half: store the weights as float16.
    """
    from export.quiet_tensorflow import tf

    nchw = shape[1] == 3
    order = np.eye(3, dtype=np.float32)[::-1] if bgr else np.eye(3, dtype=np.float32)
    # A convolution with enough weights to be stored as float16 or int8.
    widened = np.zeros((1, 1, 3, 64), np.float32)
    widened[0, 0, :, :3] = np.diag(std)
    shift = np.zeros(64, np.float32)
    shift[:3] = mean
    weights = np.zeros((64, 3), np.float32)
    weights[:3] = gain * (order - 1 / 3)

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32)])
    def function(image):
        rows = tf.transpose(image, [0, 2, 3, 1]) if nchw else image
        x = tf.nn.conv2d(rows, widened, 1, "VALID") + shift
        x = tf.reduce_mean(x, (1, 2))
        x = tf.reshape(x, reshape) if reshape else x
        x = x @ weights
        x = {"softmax": tf.nn.softmax, "relu": tf.nn.relu, "logits": tf.identity}[end](x)
        return tf.reshape(x, output_shape) if output_shape else x

    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()], function)
    if samples is not None or half:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if half:
        converter.target_spec.supported_types = [tf.float16]
    if samples is not None:
        converter.representative_dataset = lambda: ([sample[None].astype(np.float32)] for sample in samples)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.dtypes.as_dtype(io)
    path.write_bytes(converter.convert())
    (path.parent / "labels.txt").write_text("".join(f"{label}\n" for label in LABELS))
    return path
