"""Read .keras and .h5 files, of Keras 3 and of Keras 2."""

from __future__ import annotations

import json
import shutil
import zipfile
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from export.errors import ExportError
from export.importing.graph import ImportedGraph, import_function
from export.importing.keras_config import refuse_code, without_depthwise_groups

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

ZIP, HDF5 = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"
# A .keras file is a ZIP archive. Weights hardly compress, so a file that unpacks to far more is an attack or damaged.
MOST_UNPACKED_RATIO, MOST_UNPACKED_BYTES = 100, 4_000_000_000
KERAS_2_MISSING = "was written by Keras 2; install the library that reads it with: pip install 'edgewise[keras2]'"


@dataclass(frozen=True)
class KerasFile:
    """A file's form and what it states about itself.

    Attributes:
        suffix: ".keras" (a ZIP archive) or ".h5", by its content.
        version: the version of Keras that wrote it; "" if it is not stated.
        config: the configuration of its layers.

    """

    suffix: str
    version: str
    config: dict[str, Any]


def import_keras_file(path: Path, scratch: Path) -> ImportedGraph:
    """Read a file as a graph.

    Args:
        path: the file.
        scratch: a folder for temporary files.

    Raises:
        ExportError: it is damaged, contains code, or is not a model with one input and one output.

    """
    file = _inspect(path)
    refuse_code(file.config, path)
    place = scratch / f"model{file.suffix}"  # the libraries decide by the suffix, which may be wrong
    place.symlink_to(path.resolve())
    model = _load_keras_3(place, file, path) if file.version.startswith("3") else _load_keras_2(place, path)
    inputs, outputs = _ends(model, path)
    if len(inputs) != 1 or len(outputs) != 1:
        raise ExportError(f"{path}: has {len(inputs)} inputs and {len(outputs)} outputs; a classifier has one each")
    refuse_nan(((getattr(item, "path", item.name), np.asarray(item)) for item in model.weights), path)
    kind = inputs[0].dtype
    return import_function(
        lambda image: model(image, training=False), tuple(inputs[0].shape), getattr(kind, "name", kind), path
    )


def refuse_zip_bomb(path: Path) -> None:
    """Raise ExportError if a .keras file is not a ZIP archive, or would unpack to far more than a model's weights."""
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except (OSError, zipfile.BadZipFile) as problem:
        raise ExportError(f"{path}: not a Keras model that this Keras version can read: {problem}") from None
    if unpacked > MOST_UNPACKED_BYTES or unpacked > MOST_UNPACKED_RATIO * max(path.stat().st_size, 1):
        raise ExportError(
            f"{path}: would unpack to {unpacked:,} bytes, far more than any classifier of its size; refused"
        )


def refuse_nan(weights: Iterable[tuple[str, Any]], path: Path) -> None:
    """Raise ExportError if a named array contains NaN or infinity."""
    for name, values in weights:
        if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
            raise ExportError(f"{path}: the weights {name} contain NaN or infinity; train it again")


def first_line(problem: Exception) -> str:
    """Return the first line of an error's message, or else its type."""
    lines = str(problem).strip().splitlines()
    return lines[0] if lines else type(problem).__name__


def _inspect(path: Path) -> KerasFile:
    with path.open("rb") as file:
        begin = file.read(len(HDF5))
    try:
        if begin == HDF5:
            return _inspect_hdf5(path)
        if begin.startswith(ZIP):
            refuse_zip_bomb(path)
            return _inspect_archive(path)
    except (OSError, KeyError, ValueError, RuntimeError, zipfile.BadZipFile) as problem:
        raise ExportError(f"{path}: not a readable Keras model: {first_line(problem)}") from None
    if path.suffix in {".tflite", ".onnx"}:
        raise ExportError(f"{path}: already exported; use edge-export wrap")
    raise ExportError(f"{path}: not a Keras model: neither a .keras nor an .h5 file nor a SavedModel folder")


def _inspect_hdf5(path: Path) -> KerasFile:
    import h5py

    with h5py.File(path) as file:
        config = file.attrs.get("model_config")
        version = file.attrs.get("keras_version", "")
    if config is None:
        raise ExportError(f"{path}: contains only weights; save the whole model with model.save()")
    text = config.decode() if isinstance(config, bytes) else str(config)
    return KerasFile(".h5", version.decode() if isinstance(version, bytes) else str(version), json.loads(text))


def _inspect_archive(path: Path) -> KerasFile:
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
        metadata = json.loads(archive.read("metadata.json"))
    return KerasFile(".keras", str(metadata.get("keras_version", "")), config)


def _load_keras_3(place: Path, file: KerasFile, path: Path) -> Any:  # noqa: ANN401 - Keras is not typed
    from export.quiet_tensorflow import keras, quiet_stderr

    if file.suffix == ".h5" and without_depthwise_groups(file.config):
        place = _with_config(place, file.config)
    try:
        with quiet_stderr():
            return keras.models.load_model(place, compile=False, safe_mode=True)
    except Exception as problem:  # noqa: BLE001 - h5py, zipfile and Keras raise what they like at a file that is not theirs
        raise _unreadable(path, f"Keras {keras.__version__}", problem) from None


def _with_config(place: Path, config: dict[str, Any]) -> Path:
    """Return a copy of an .h5 file with another configuration of its layers."""
    import h5py

    copy = place.with_name("changed.h5")
    shutil.copyfile(place, copy)
    with h5py.File(copy, "r+") as file:
        file.attrs["model_config"] = json.dumps(config)
    return copy


def _load_keras_2(place: Path, path: Path) -> Any:  # noqa: ANN401 - the same
    if find_spec("tf_keras") is None:
        raise ExportError(f"{path}: {KERAS_2_MISSING}")
    from export.quiet_tensorflow import quiet_stderr

    try:
        with quiet_stderr():
            import tf_keras

            # Two names that much-used packages of pretrained models registered for what Keras itself has.
            known = {"relu6": tf_keras.layers.ReLU(6.0), "FixedDropout": tf_keras.layers.Dropout}
            return tf_keras.models.load_model(str(place), custom_objects=known, compile=False, safe_mode=True)
    except Exception as problem:  # noqa: BLE001 - the same
        raise _unreadable(path, "tf_keras", problem) from None


def _unreadable(path: Path, library: str, problem: Exception) -> ExportError:
    return ExportError(
        f"{path}: {library} cannot read it: {first_line(problem)}; if it contains classes of its own, save it as a "
        "SavedModel folder (model.export) where they are defined, and export that"
    )


def _ends(model: Any, path: Path) -> tuple[list[Any], list[Any]]:  # noqa: ANN401 - the same
    """Return a model's inputs and outputs. Raise ExportError if it was never built."""
    try:
        inputs, outputs = model.inputs, model.outputs
    except (AttributeError, ValueError):
        inputs = outputs = None
    if not inputs or not outputs:
        raise ExportError(
            f"{path}: was saved before it was built, so it has no input size and no weights; begin it with "
            "keras.Input((height, width, 3)), train it, and save it again"
        )
    return list(inputs), list(outputs)
