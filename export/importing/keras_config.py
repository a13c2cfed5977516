"""Check the configuration of a Keras model before a library reads it: only layers of Keras, and no code."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from export.errors import ExportError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Layers that contain Python code or another program.
CODE = {"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "PyFunc", "KerasLayer", "__lambda__"}
MODULES = re.compile(r"(keras|tf_keras|tensorflow\.keras|tensorflow\.python\.keras|builtins)(\.|$)")
NOT_LAYERS = re.compile(r"\.(utils|saving|datasets|export|testing|config|distribution)(\.|$)")
# What TFOpLambda and its relatives, with which Keras 2 wrote calls of TensorFlow, may call.
OPERATION_LAYERS = {"TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer"}
COMPUTATIONS = re.compile(
    r"(compat\.v1\.)?((math|nn|linalg|image|dtypes|keras\.(activations|backend|ops))\.\w+(\.\w+)?|__operators__\.\w+"
    r"|abs|add|argmax|broadcast_to|cast|clip_by_value|concat|constant|convert_to_tensor|cumsum|divide|equal|exp"
    r"|expand_dims|eye|fill|floor|gather|gather_nd|greater|greater_equal|identity|less|less_equal|matmul|maximum"
    r"|meshgrid|minimum|multiply|negative|norm|not_equal|one_hot|ones|ones_like|pad|pow|range|rank|realdiv|reduce_\w+"
    r"|repeat|reshape|reverse|roll|round|scalar_mul|shape|sigmoid|sign|size|slice|space_to_depth|depth_to_space|split"
    r"|sqrt|square|squeeze|stack|stop_gradient|strided_slice|subtract|tanh|tensordot|tile|transpose|truediv|unstack"
    r"|where|zeros|zeros_like)"
)


def refuse_code(config: Any, path: Path) -> None:  # noqa: ANN401 - JSON
    """Raise ExportError if a configuration contains code, or names objects that are not part of Keras.

    Args:
        config: the configuration, as read from JSON.
        path: the file, for the message.

    """
    for item in _dictionaries(config):
        name = item.get("class_name")
        if not isinstance(name, str):
            continue
        if name in CODE:
            raise ExportError(
                f"{path}: refused, because its layer {name} contains code; save it as a SavedModel folder "
                "(model.export) where the code is trusted, and export that"
            )
        module = item.get("module")
        if isinstance(module, str) and (not MODULES.match(module) or NOT_LAYERS.search(module)):
            raise ExportError(
                f"{path}: refused, because it contains {name} of {module}, which is no layer of Keras; save it as a "
                "SavedModel folder (model.export), and export that"
            )
        inner = item.get("config")
        called = inner.get("function") if isinstance(inner, dict) else None
        if name in OPERATION_LAYERS and called is not None and not COMPUTATIONS.fullmatch(str(called)):
            raise ExportError(f"{path}: refused, because its layer {name} calls {str(called)[:80]}, not a computation")


def without_depthwise_groups(config: Any) -> bool:  # noqa: ANN401 - JSON
    """Remove the `groups` of depthwise convolutions, which Keras 3 does not accept; return whether there were any.

    It is always 1 there and changes nothing.
    """
    found = False
    for item in _dictionaries(config):
        inner = item.get("config")
        if item.get("class_name") == "DepthwiseConv2D" and isinstance(inner, dict) and inner.get("groups") == 1:
            del inner["groups"]
            found = True
    return found


def _dictionaries(value: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - JSON
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
