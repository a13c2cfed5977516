"""The rules of the decision over frames as a JSON file: tune-decision writes it, watch reads it."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.errors import SpecError
from edge_runtime.live.smoothing import Rules
from edge_runtime.storage.json_files import expect_keys, read_json, write_json

if TYPE_CHECKING:
    from edge_runtime.model.spec import ModelSpec

KEYS = [field.name for field in fields(Rules) if field.name != "thresholds"]
COUNTS = ("k", "n", "leave")


def write_rules(path: Path, rules: Rules, spec: ModelSpec) -> None:
    """Write the rules, with each class's threshold under its label."""
    write_json(path, {**asdict(rules), "thresholds": dict(zip(spec.labels, rules.thresholds, strict=True))})


def read_rules(path: str, spec: ModelSpec) -> Rules:
    """Read rules for a model's labels. Raise SpecError, which names the file and the key."""
    data = read_json(Path(path), SpecError)
    expect_keys(data, ["thresholds", *KEYS], path, SpecError)
    thresholds = data["thresholds"]
    if not isinstance(thresholds, dict):
        raise SpecError(f"{path}: 'thresholds' must be a JSON object with one number for each label")
    expect_keys(thresholds, spec.labels, f"{path}: thresholds", SpecError)
    for key, value in [*((key, data[key]) for key in KEYS), *thresholds.items()]:
        if not _usable(key in COUNTS and key in data, value):
            raise SpecError(f"{path}: {key!r} has the invalid value {value!r}")
    return Rules(tuple(float(thresholds[label]) for label in spec.labels), **{key: data[key] for key in KEYS})


def _usable(is_count: bool, value: Any) -> bool:  # noqa: ANN401 - a JSON value
    if is_count:
        return type(value) is int and value >= 1
    return type(value) in {int, float} and 0 <= value <= 1
