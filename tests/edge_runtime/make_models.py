"""Write the colour classifier's model files into a folder: run as a process of its own.

TensorFlow must not enter the tests' process, in which tflite-runtime would then refuse to run.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import tensorflow as tf
from onnx import helper

HEIGHT, WIDTH, SHARPNESS = 24, 32, 20.0
CALIBRATION = [(220, 30, 20), (25, 210, 30), (20, 40, 230), (0, 0, 0), (255, 255, 255)]


def keras_model():
    """Average each channel, sharpen, softmax: the class of the strongest channel."""
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [
            tf.keras.Input((HEIGHT, WIDTH, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(3, 1),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3),
            layers.Softmax(),
        ]
    )
    identity = np.eye(3, dtype=np.float32)
    model.layers[1].set_weights([identity[None, None], np.zeros(3, np.float32)])
    model.layers[3].set_weights([SHARPNESS * identity, np.zeros(3, np.float32)])
    return model


def tflite(model, *, int8):
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if int8:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: (
            [np.full((1, HEIGHT, WIDTH, 3), color, np.float32)] for color in CALIBRATION
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.uint8
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    return converter.convert()


def onnx_model():
    float_type = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["image"], ["mean"], axes=[1, 2], keepdims=0),
            helper.make_node("Mul", ["mean", "scale"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        ],
        "colour",
        [helper.make_tensor_value_info("image", float_type, ["N", HEIGHT, WIDTH, 3])],
        [helper.make_tensor_value_info("probabilities", float_type, ["N", 3])],
        [helper.make_tensor("scale", float_type, [], [SHARPNESS / 255])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    (folder / "model.float32.tflite").write_bytes(tflite(keras_model(), int8=False))
    (folder / "model.int8.tflite").write_bytes(tflite(keras_model(), int8=True))
    (folder / "model.float32.onnx").write_bytes(onnx_model())
