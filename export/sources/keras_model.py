"""Open a Keras classifier with pixels 0..255 as input and one probability for each label as output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from export.errors import ExportError
from export.importing.graph_model import graph_model
from export.importing.keras_files import first_line, refuse_nan, refuse_zip_bomb
from export.sources.familiarity import Familiarity, read_familiarity, times_familiarity, with_features
from export.sources.reading import RANGES, Reading

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

Head = Literal["sigmoid", "softmax", "logits"]
GRAPH_SUFFIX = ".pb"


@dataclass(frozen=True)
class ModelFile:
    """A Keras model on disk and the meaning of its input and output.

    Attributes:
        path: a .keras file or, in a process that converts, an imported graph (.pb).
        head: the kind of its outputs.
        familiarity: the file of its familiarity, or None.
        reading: how its input is computed from pixels.
        graph: the imported graph of a model of unknown origin, a serialized GraphDef; None for a RUN's model.

    """

    path: Path
    head: Head = "softmax"
    familiarity: Path | None = None
    reading: Reading = RANGES["0..255"]
    graph: bytes | None = None


def open_classifier(file: ModelFile, classes: int) -> Any:  # noqa: ANN401 - Keras is not typed
    """Open a model as one from float32 pixels 0..255, (N, height, width, 3), to (N, classes) probabilities.

    Raises:
        ExportError: it cannot be read, or is not a classifier of this number of classes.

    """
    model = load_model(file.path)
    side = check_ends(model, file.path, classes)
    familiarity = read_familiarity(file.familiarity) if file.familiarity else None
    if familiarity:
        model = with_features(model, file.path, familiarity)
    return pixel_classifier(model, side=side, reading=file.reading, head=file.head, familiarity=familiarity)


def load_model(path: Path) -> Any:  # noqa: ANN401 - Keras is not typed
    """Load a .keras file that edge-train wrote, or an imported graph (.pb), as a Keras model.

    Raises:
        ExportError: it is missing or damaged, or cannot be read by this Keras version.

    """
    if not path.exists():
        raise ExportError(f"{path}: no such file")
    if path.suffix == GRAPH_SUFFIX:
        return graph_model(path.read_bytes(), path)
    refuse_zip_bomb(path)
    from export.quiet_tensorflow import keras, quiet_stderr

    try:
        with quiet_stderr():
            model = keras.models.load_model(path, compile=False)
    except Exception as problem:  # noqa: BLE001 - zipfile, h5py and Keras raise what they like at a file that is not theirs
        raise ExportError(
            f"{path}: not a Keras model that this Keras version can read: {first_line(problem)}"
        ) from None
    refuse_nan(((variable.path, np.asarray(variable)) for variable in model.weights), path)
    return model


def pixel_classifier(
    model: Any,  # noqa: ANN401 - Keras is not typed
    *,
    side: tuple[int, int],
    reading: Reading = RANGES["0..255"],
    head: Head = "softmax",
    familiarity: Familiarity | None = None,
) -> Any:  # noqa: ANN401 - the same
    """Wrap a classifier so that it takes pixels 0..255 and returns one probability for each label.

    A sigmoid's single probability p becomes the two columns 1 - p and p, which every reader of labelled outputs
    understands; logits get the missing softmax or sigmoid.

    Args:
        model: from (N, height, width, channels) to (N, units).
        side: (height, width) of the input.
        reading: how the model's input is computed from pixels.
        head: the kind of its outputs.
        familiarity: if given, `model` has its features as a first output, and the probabilities are multiplied by the
            familiarity.

    """
    from export.quiet_tensorflow import keras

    units = int(model.outputs[-1].shape[-1])
    if reading.is_pixels and head == "softmax" and units > 1 and familiarity is None:
        return model
    image = keras.Input((*side, int(model.inputs[0].shape[-1])), name="image")
    taken = image[..., ::-1] if reading.bgr else image
    if not reading.is_pixels:
        taken = keras.layers.Rescaling(_number_or_list(reading.scale), _number_or_list(reading.offset))(taken)
    features, given = model(taken) if familiarity else (None, model(taken))
    if head == "logits":
        given = keras.layers.Activation("softmax" if units > 1 else "sigmoid")(given)
    if units == 1:
        given = keras.layers.Concatenate()([1.0 - given, given])
    if familiarity:
        given = times_familiarity(features, given, familiarity)
    return keras.Model(image, given)


def _number_or_list(values: NDArray[np.float64]) -> float | list[float]:
    """Return one number for all channels, or a list, in the forms that Rescaling takes."""
    return float(values[0]) if len(values) == 1 else values.tolist()


def check_ends(model: Any, path: Path, classes: int) -> tuple[int, int]:  # noqa: ANN401 - the same
    """Return a model's input (height, width); raise ExportError unless it is a classifier of `classes` labels."""
    inputs, outputs = len(model.inputs), len(model.outputs)
    if inputs != 1 or outputs != 1:
        raise ExportError(f"{path}: has {inputs} inputs and {outputs} outputs; a classifier has one each")
    taken, given = model.inputs[0].shape, model.outputs[0].shape
    if len(given) != 2:
        raise ExportError(
            f"{path}: its output has shape {tuple(given)}; a classifier has one score per class (a segmentation model?)"
        )
    if len(taken) != 4 or taken[-1] not in {1, 3} or None in taken[1:]:
        raise ExportError(
            f"{path}: its input has shape {tuple(taken)}; it must be RGB images of one size, (N, height, width, 3), or "
            "grey ones, (N, height, width, 1)"
        )
    expected = 2 if given[-1] == 1 else given[-1]
    if classes != expected:
        raise ExportError(f"{path}: its {given[-1]} outputs are {expected} classes, but there are {classes} labels")
    return int(taken[1]), int(taken[2])
