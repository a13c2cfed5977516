"""Open a Keras classifier with pixels 0..255 as input and one probability for each label as output."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from export.errors import ExportError
from export.sources.familiarity import Familiarity, read_familiarity, times_familiarity, with_features
from export.sources.reading import RANGES, InputRange, Reading

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

Head = Literal["sigmoid", "softmax", "logits"]
# A .keras file is a ZIP archive. Weights hardly compress, so a file that unpacks to far more is an attack or damaged.
MOST_UNPACKED_RATIO, MOST_UNPACKED_BYTES = 100, 4_000_000_000


@dataclass(frozen=True)
class ModelFile:
    """A Keras model on disk and the meaning of its input and output.

    Attributes:
        path: a .keras or .h5 file, or a SavedModel folder.
        input_range: the range of its input.
        head: the kind of its outputs.
        familiarity: the file of its familiarity, or None.
        reading: how its input is computed from pixels, if a range alone does not say it.

    """

    path: Path
    input_range: InputRange = "0..255"
    head: Head = "softmax"
    familiarity: Path | None = None
    reading: Reading | None = None


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
    reading = file.reading or RANGES[file.input_range]
    return pixel_classifier(model, side=side, reading=reading, head=file.head, familiarity=familiarity)


def load_model(path: Path) -> Any:  # noqa: ANN401 - Keras is not typed
    """Load a .keras or .h5 file, or a SavedModel folder, as a callable for a batch of images.

    Raises:
        ExportError: it is missing or damaged, has several inputs or outputs, or cannot be read by this Keras version.

    """
    if not path.exists():
        raise ExportError(f"{path}: no such file")
    if path.suffix == ".keras":
        _refuse_zip_bomb(path)
    from export.quiet_tensorflow import keras, quiet_stderr

    if path.is_dir():
        return _load_saved_model(path)
    try:
        with quiet_stderr():
            model = keras.models.load_model(path, compile=False)
    except Exception as problem:  # noqa: BLE001 - h5py, zipfile and Keras raise what they like at a file that is not theirs
        raise ExportError(
            f"{path}: not a Keras model that this Keras version can read: {_first_line(problem)}"
        ) from None
    _check_weights(model, path)
    return model


def pixel_classifier(
    model: Any,  # noqa: ANN401 - Keras is not typed
    *,
    side: tuple[int, int],
    reading: Reading = RANGES["0..255"],
    head: Head = "softmax",
    raw: bool = False,
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
        raw: leave the outputs unchanged.
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
    if raw:
        return keras.Model(image, given)
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


def _refuse_zip_bomb(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except (OSError, zipfile.BadZipFile) as problem:
        raise ExportError(f"{path}: not a Keras model that this Keras version can read: {problem}") from None
    if unpacked > MOST_UNPACKED_BYTES or unpacked > MOST_UNPACKED_RATIO * max(path.stat().st_size, 1):
        raise ExportError(
            f"{path}: would unpack to {unpacked:,} bytes, far more than any classifier of its size; refused"
        )


def _load_saved_model(path: Path) -> Any:  # noqa: ANN401 - Keras is not typed
    from export.quiet_tensorflow import keras, quiet_stderr, tf

    if not (path / "saved_model.pb").is_file():
        raise ExportError(f"{path}: a folder without saved_model.pb or spec.json is neither a SavedModel nor a RUN")
    try:
        with quiet_stderr():
            loaded = tf.saved_model.load(str(path))
    except Exception as problem:  # noqa: BLE001 - TensorFlow raises what it likes at damaged files
        raise ExportError(f"{path}: not a SavedModel that TensorFlow can read: {_first_line(problem)}") from None
    signature = loaded.signatures.get("serving_default")
    if signature is None:
        raise ExportError(f"{path}: has no signature serving_default; save it with tf.saved_model.save(signatures=...)")
    taken = list(signature.structured_input_signature[1].values())
    if len(taken) != 1 or len(signature.structured_outputs) != 1:
        given = len(signature.structured_outputs)
        raise ExportError(f"{path}: has {len(taken)} inputs and {given} outputs; a classifier has one each")
    for variable in loaded.variables:
        _refuse_nan(variable.name, variable.numpy(), path)
    image = keras.Input(taken[0].shape[1:])
    layer = keras.layers.TFSMLayer(str(path), call_endpoint="serving_default")
    (name,) = signature.structured_outputs
    return keras.Model(image, layer(image)[name])


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


def _check_weights(model: Any, path: Path) -> None:  # noqa: ANN401 - the same
    for variable in model.weights:
        _refuse_nan(variable.path, np.asarray(variable), path)


def _refuse_nan(name: str, values: Any, path: Path) -> None:  # noqa: ANN401 - the same
    if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
        raise ExportError(f"{path}: the weights {name} contain NaN or infinity; train it again")


def _first_line(problem: Exception) -> str:
    lines = str(problem).strip().splitlines()
    return lines[0] if lines else type(problem).__name__
