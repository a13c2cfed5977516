"""Predict the time of an int8 TFLite file on a device from the times of small networks on it.

The time of a network is the sum of the times of its operators, and the time of an operator the sum of amounts of work
(multiplications, elements read and written, …), each times a constant of the device. Constants are non-negative and fit
the measured networks by least squares.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from edge_runtime.errors import BackendUnavailable, InferenceError
from edge_runtime.latency.features import amounts, group
from edge_runtime.latency.file_operators import file_operators

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edge_runtime.latency.operator import Operator
    from edge_runtime.latency.operator_times import OperatorTimes

QUANTIZED = ("INT8", "UINT8")
# Operators with many multiplications. The time of one that was not measured cannot be estimated.
HEAVY = ("CONV", "MATMUL", "LSTM", "RNN", "CUSTOM")
# What an operator that was not measured counts as: one that has no fast kernel.
UNKNOWN = "HARD_SWISH"
START = ("START", "one")  # an amount of work of every network
# Long times are measured with smaller relative errors than short ones, but not with smaller absolute ones.
ERROR_POWER = 0.8


class LatencyModel(NamedTuple):
    """The constants of a device, with a number of threads.

    Attributes:
        start_ms: time of an invoke in addition to that of its operators.
        constants: ms for each unit of an amount of work; see `amounts`.
        error: median relative error of the times of the measured networks.

    """

    start_ms: float
    constants: Mapping[tuple[str, str], float]
    error: float

    def groups(self) -> set[str]:
        """Return the groups of operators that were measured."""
        return {name for name, _ in self.constants}


class Latency(NamedTuple):
    """A predicted time.

    Attributes:
        ms: of one invoke; the time of its start and of all operators.
        operators: ms of all operators of each name, the longest time first.
        estimated: the part of it that is an estimate, because the operators were not measured on the device: ms by
            name and type, such as "DIV FLOAT32".

    """

    ms: float
    operators: Mapping[str, float]
    estimated: Mapping[str, float]


def predict_ms(content: bytes, device: OperatorTimes, threads: int = 1, where: str = "model") -> float:
    """Predict the time of one invoke of an int8 TFLite file.

    Args:
        content: the file.
        device: from `read_operator_times`.
        threads: number of threads, one of those that were measured.
        where: names the file in errors.

    Returns:
        The time in ms on the device when no other program disturbs it.

    Raises:
        InferenceError: it is no TFLite file, or has operators that cannot be predicted.

    """
    return predict(file_operators(content, where), fit(device, threads), where).ms


def fit(device: OperatorTimes, threads: int) -> LatencyModel:
    """Determine the constants of a device for a number of threads that was measured.

    Raises:
        InferenceError: it was not measured with this number of threads.
        BackendUnavailable: SciPy is not installed.

    """
    if threads not in device.ms:
        measured = ", ".join(map(str, device.ms))
        raise InferenceError(f"{threads} threads were not measured on {device.processor}, only {measured}")
    try:
        from scipy.optimize import nnls
    except ModuleNotFoundError:
        raise BackendUnavailable("SciPy is not installed; install it with: pip install 'edgewise[export]'") from None
    rows = [{**amounts(network), START: 1.0} for network in device.networks]
    names = sorted({name for row in rows for name in row})
    work = np.array([[row.get(name, 0.0) for name in names] for row in rows])
    measured_ms = np.array(device.ms[threads])
    largest, weights = np.maximum(work.max(axis=0), 1), measured_ms**-ERROR_POWER
    constants, _ = nnls(work / largest * weights[:, None], measured_ms * weights)
    fitted_ms = work / largest @ constants
    error = float(np.median(np.abs(fitted_ms / measured_ms - 1)))
    found = dict(zip(names, (constants / largest).tolist(), strict=True))
    return LatencyModel(found.pop(START), found, error)


def predict(operators: Sequence[Operator], model: LatencyModel, where: str = "model") -> Latency:
    """Predict the time of a network. Raise InferenceError if it has operators that cannot be predicted."""
    _refuse_unpredictable(operators, where, model.groups())
    times: dict[str, float] = defaultdict(float)
    estimated: dict[str, float] = defaultdict(float)
    for operator in operators:
        ms = _ms(operator, model)
        times[operator.name] += ms
        if not _measured(operator, model.groups()):
            estimated[f"{operator.name} {operator.kind}"] += ms
    ordered = dict(sorted(times.items(), key=lambda item: -item[1]))
    return Latency(model.start_ms + sum(times.values()), ordered, dict(estimated))


def _ms(operator: Operator, model: LatencyModel) -> float:
    """Return the time of an operator; one in float counts as the same one in int8, an unknown one as UNKNOWN."""
    if group(operator) not in model.groups():
        operator = operator._replace(name=UNKNOWN)
    return sum(model.constants[name] * amount for name, amount in amounts([operator]).items())


def _measured(operator: Operator, groups: set[str]) -> bool:
    return operator.kind in QUANTIZED and group(operator) in groups


def _refuse_unpredictable(operators: Iterable[Operator], where: str, groups: set[str]) -> None:
    for operator in operators:
        if any(part in operator.name for part in HEAVY) and not _measured(operator, groups):
            raise InferenceError(
                f"{where}: its {operator.name} computes in {operator.kind}, or was not measured on the device; "
                "only int8 files can be predicted, such as a bundle's int8.tflite"
            )
