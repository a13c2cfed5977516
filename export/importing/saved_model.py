"""Read a SavedModel folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from export.errors import ExportError
from export.importing.graph import ImportedGraph, import_function
from export.importing.keras_files import first_line, refuse_nan
from export.importing.operations import operations_of_saved_model, refuse_operations

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT = "serving_default"
IMAGE_RANK, SCORES_RANKS = len(("N", "height", "width", "channels")), {None, len(("N", "classes")), 4}


def import_saved_model(path: Path) -> ImportedGraph:
    """Read a SavedModel as a graph.

    Raises:
        ExportError: it is damaged, contains operations that are refused, or has no signature of a classifier.

    """
    from export.quiet_tensorflow import quiet_stderr, tf

    refuse_operations(operations_of_saved_model(path), path)
    try:
        with quiet_stderr():
            loaded = tf.saved_model.load(str(path))
    except Exception as problem:  # noqa: BLE001 - TensorFlow raises what it likes at damaged files
        raise ExportError(f"{path}: not a SavedModel that TensorFlow can read: {first_line(problem)}") from None
    signature = _signature(dict(loaded.signatures), path)
    ((name, taken),) = signature.structured_input_signature[1].items()
    refuse_nan(((item.name, np.asarray(item.numpy())) for item in signature.graph.variables), path)
    if not taken.dtype.is_floating and not taken.dtype.is_integer:
        raise ExportError(f"{path}: its input is {taken.dtype.name}; a classifier takes images as numbers")
    if taken.shape.rank is None:
        raise ExportError(f"{path}: its input has no shape; save it with a tf.TensorSpec of (None, height, width, 3)")
    (given,) = signature.structured_outputs
    imported = import_function(
        lambda image: signature(**{name: image})[given], tuple(taken.shape), taken.dtype.name, path
    )
    del loaded  # it owns the variables, which must exist until here
    return imported


def _signature(signatures: dict[str, Any], path: Path) -> Any:  # noqa: ANN401 - TensorFlow is not typed
    """Return the signature that classifies images: serving_default, or else the only one that does."""
    if not signatures:
        raise ExportError(f"{path}: has no signature {DEFAULT}; save it with tf.saved_model.save(signatures=...)")
    able = {name: signature for name, signature in signatures.items() if _classifies(signature)}
    if DEFAULT in able:
        return able[DEFAULT]
    if len(able) == 1:
        return next(iter(able.values()))
    first = signatures.get(DEFAULT) or next(iter(signatures.values()))
    inputs, outputs = len(first.structured_input_signature[1]), len(first.structured_outputs)
    if not able and len(signatures) == 1 and (inputs, outputs) != (1, 1):
        raise ExportError(f"{path}: has {inputs} inputs and {outputs} outputs; a classifier has one each")
    names = ", ".join(sorted(able or signatures))
    which = (
        "several signatures take images and return scores"
        if able
        else "none of its signatures takes images and returns one score per class"
    )
    raise ExportError(f"{path}: {which} ({names}); save it with the one to export as {DEFAULT}")


def _classifies(signature: Any) -> bool:  # noqa: ANN401 - the same
    taken = list(signature.structured_input_signature[1].values())
    given = signature.structured_outputs
    if len(taken) != 1 or not isinstance(given, dict) or len(given) != 1:
        return False
    (scores,) = given.values()
    return taken[0].shape.rank in {None, IMAGE_RANK} and scores.shape.rank in SCORES_RANKS
