"""Read and write the rules of the decision over frames as a JSON file.

`edge-run tune-decision` writes it; `edge-run watch` and `edge-run serve` read it.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.errors import SpecError
from edge_runtime.live.smoothing import Rules
from edge_runtime.storage.json_files import expect_keys, read_json, write_json

if TYPE_CHECKING:
    from edge_runtime.model.spec import ModelSpec

FROM_SPEC = "min_familiarity"  # the model decides it, not the rules
KEYS = [field.name for field in fields(Rules) if field.name not in {"thresholds", FROM_SPEC}]
COUNTS = ("k", "n", "leave")


def write_rules(path: Path, rules: Rules, spec: ModelSpec) -> None:
    """Write the rules, with each class's threshold under its label."""
    values = {**asdict(rules), "thresholds": dict(zip(spec.labels, rules.thresholds, strict=True))}
    del values[FROM_SPEC]
    write_json(path, values)


def read_rules(path: str, spec: ModelSpec) -> Rules:
    """Read rules for a model's labels. Raise SpecError, which names the file and the key."""
    data = read_json(Path(path), SpecError)
    expect_keys(data, ["thresholds", *KEYS], path, SpecError)
    thresholds = data["thresholds"]
    if not isinstance(thresholds, dict):
        raise SpecError(f"{path}: 'thresholds' must be a JSON object with one number for each label")
    expect_keys(thresholds, spec.labels, f"{path}: thresholds", SpecError)
    for key, value in [*((key, data[key]) for key in KEYS), *thresholds.items()]:
        is_count = key in COUNTS and key in data
        if not _is_valid(value, is_count):
            expected = "an integer of at least 1" if is_count else "a number from 0 to 1"
            raise SpecError(f"{path}: {key!r} must be {expected}, not {value!r}")
    values = {key: data[key] for key in KEYS}
    in_order = tuple(float(thresholds[label]) for label in spec.labels)
    return Rules(in_order, **values, min_familiarity=spec.min_familiarity)


def _is_valid(value: Any, is_count: bool) -> bool:  # noqa: ANN401 - a JSON value
    if is_count:
        return type(value) is int and value >= 1
    return type(value) in {int, float} and 0 <= value <= 1
