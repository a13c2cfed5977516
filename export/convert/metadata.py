"""The metadata for other tools: TFLite Metadata with labels and normalisation, ONNX's metadata_props.

The schema with the field numbers used below:
https://github.com/google-ai-edge/mediapipe/blob/master/mediapipe/tasks/metadata/metadata_schema.fbs
"""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

from export.sources.familiarity import FAMILIARITY_PROPERTY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_runtime.model.spec import ModelSpec

INPUT_NAME, OUTPUT_NAME = "image", "probabilities"  # of every exported file
LABELS_FILE = "labels.txt"
METADATA_BUFFER, SCHEMA_IDENTIFIER, MIN_PARSER_VERSION = b"TFLITE_METADATA", b"M001", "1.0.0"
IMAGE_PROPERTIES, NORMALIZATION_OPTIONS = 2, 1  # positions in the unions ContentProperties and ProcessUnitOptions
RGB, GRAYSCALE, VALUE_LABELS_PER_AXIS = 1, 2, 2  # of ColorSpaceType; AssociatedFileType.TENSOR_AXIS_LABELS


def tflite_metadata(spec: ModelSpec) -> bytes:
    """Write a ModelMetadata flatbuffer: an image in 0..255, without normalisation, and probabilities with labels.

    Args:
        spec: the model's spec.

    Returns:
        The buffer that a TFLite file contains under the name TFLITE_METADATA.

    """
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    inputs, outputs = [_input_metadata(builder, spec)], [_output_metadata(builder, spec)]
    graph = _table(builder, {2: _tables(builder, inputs), 3: _tables(builder, outputs)})
    model = _table(
        builder,
        {
            0: builder.CreateString("image classifier"),
            3: _tables(builder, [graph]),
            7: builder.CreateString(MIN_PARSER_VERSION),
        },
    )
    builder.Finish(model, file_identifier=SCHEMA_IDENTIFIER)
    return bytes(builder.Output())


def _input_metadata(builder: Any, spec: ModelSpec) -> int:  # noqa: ANN401 - flatbuffers is not typed
    """Write the TensorMetadata of the image."""
    # The graph contains its own normalisation, so (pixel - mean) / std must leave pixels unchanged.
    normalization = _table(builder, {0: _floats(builder, [0.0]), 1: _floats(builder, [1.0])})
    color = "RGB" if spec.color == "RGB" else "grey"
    image = _table(builder, {0: ("byte", RGB if spec.color == "RGB" else GRAYSCALE)})
    return _table(
        builder,
        {
            0: builder.CreateString(INPUT_NAME),
            1: builder.CreateString(f"{color} pixels 0..255, {spec.resize} to {spec.width}x{spec.height}"),
            3: _table(builder, {0: ("byte", IMAGE_PROPERTIES), 1: image}),
            4: _tables(builder, [_table(builder, {0: ("byte", NORMALIZATION_OPTIONS), 1: normalization})]),
            5: _table(builder, {0: _floats(builder, [255.0]), 1: _floats(builder, [0.0])}),
        },
    )


def _output_metadata(builder: Any, spec: ModelSpec) -> int:  # noqa: ANN401 - flatbuffers is not typed
    """Write the TensorMetadata of the probabilities."""
    labels = _table(builder, {0: builder.CreateString(LABELS_FILE), 2: ("byte", VALUE_LABELS_PER_AXIS)})
    return _table(
        builder,
        {
            0: builder.CreateString(OUTPUT_NAME),
            1: builder.CreateString(
                "one probability for each label"
                if spec.min_familiarity is None
                else "one probability for each label; their sum is the probability that the image is of any of them"
            ),
            5: _table(builder, {0: _floats(builder, [1.0]), 1: _floats(builder, [0.0])}),
            6: _tables(builder, [labels]),
        },
    )


def with_labels_file(model: bytes, spec: ModelSpec) -> bytes:
    """Append labels.txt to a TFLite file as the ZIP archive in which metadata readers look for files."""
    stream = io.BytesIO()
    stream.write(model)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:  # readers support only stored entries
        entry = zipfile.ZipInfo(LABELS_FILE, date_time=(1980, 1, 1, 0, 0, 0))  # equal exports give equal bytes
        archive.writestr(entry, "".join(f"{label}\n" for label in spec.labels))
    return stream.getvalue()


def onnx_properties(spec: ModelSpec) -> dict[str, str]:
    """Return an ONNX file's metadata_props; values are JSON, which tools show and programs parse."""
    values: dict[str, Any] = {
        "labels": list(spec.labels),
        "input": {"name": INPUT_NAME, "layout": "NHWC", "color": spec.color, "range": [0, 255]},
        "resize": {"mode": spec.resize, "width": spec.width, "height": spec.height, "crop": spec.crop_fraction},
        "output": {"name": OUTPUT_NAME, "form": spec.output},
    }
    if spec.min_familiarity is not None:
        values[FAMILIARITY_PROPERTY] = spec.min_familiarity
    return {name: json.dumps(value, ensure_ascii=False, sort_keys=True) for name, value in values.items()}


def _table(builder: Any, slots: dict[int, Any]) -> int:  # noqa: ANN401 - flatbuffers is not typed
    """Write a table from its field numbers to offsets, or to ("byte", value)."""
    builder.StartObject(max(slots) + 1)
    for slot, value in slots.items():
        if isinstance(value, tuple):
            builder.PrependInt8Slot(slot, value[1], 0)
        else:
            builder.PrependUOffsetTRelativeSlot(slot, value, 0)
    offset: int = builder.EndObject()
    return offset


def _tables(builder: Any, offsets: Sequence[int]) -> int:  # noqa: ANN401 - the same
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    vector: int = builder.EndVector()
    return vector


def _floats(builder: Any, values: Sequence[float]) -> int:  # noqa: ANN401 - the same
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependFloat32(value)
    vector: int = builder.EndVector()
    return vector
