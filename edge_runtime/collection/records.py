"""The sidecar of a kept frame: what the model said about it, and why it was kept."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast, get_args

from edge_runtime.classify.decision import Scored
from edge_runtime.collection.choice import Reason
from edge_runtime.collection.errors import CollectionError
from edge_runtime.storage.json_files import expect_keys, parse_json
from edge_runtime.storage.regular_files import read_at_most

if TYPE_CHECKING:
    from pathlib import Path

MOST_BYTES = 100_000
HASH_DIGITS = 16


@dataclass(frozen=True)
class KeptFrame:
    """What is known about a kept frame.

    Attributes:
        label: the decision about this frame, or "unknown".
        score: its probability, 0..1; see `Decision`.
        top: the top classes with their probabilities, in descending order.
        familiarity: the probability that the frame shows what the model was trained on; None if it is not computed.
        stable: the decision over frames.
        reason: why it was kept. "random" means that it was drawn from all frames, whatever the model said.
        model: SHA-256 of the model file.
        artifact: name of the artifact.
        time: time of capture, ISO 8601 in UTC.
        burst: see `edge_runtime.collection.bursts`.
        source: name of the source.
        frame: number of the frame in that run.
        average_hash: see `looks.average_hash`, as 16 hexadecimal digits.

    """

    label: str
    score: float
    top: tuple[Scored, ...]
    familiarity: float | None
    stable: str
    reason: Reason
    model: str
    artifact: str
    time: str
    burst: str
    source: str
    frame: int
    average_hash: str

    def to_json(self) -> bytes:
        """Return the sidecar's content."""
        data = asdict(self)
        data["top"] = [{"label": item.label, "score": round(item.score, 6)} for item in self.top]
        data["score"] = round(self.score, 6)
        data["familiarity"] = None if self.familiarity is None else round(self.familiarity, 6)
        return (json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")


TYPES: dict[str, type | tuple[type, ...]] = {
    "label": str,
    "score": (int, float),
    "top": list,
    "familiarity": (int, float, type(None)),
    "stable": str,
    "reason": str,
    "model": str,
    "artifact": str,
    "time": str,
    "burst": str,
    "source": str,
    "frame": int,
    "average_hash": str,
}


def read_record(path: Path) -> KeptFrame:
    """Read a sidecar strictly. Raise CollectionError, or OSError if it cannot be read."""
    return parse_record(read_at_most(path, MOST_BYTES), str(path))


def parse_record(content: bytes, where: str) -> KeptFrame:
    """Parse a sidecar's content strictly; `where` names it in errors. Raise CollectionError."""
    data = parse_json(content, where, CollectionError)
    expect_keys(data, TYPES, where, CollectionError)
    for key, kind in TYPES.items():
        if not isinstance(data[key], kind) or isinstance(data[key], bool):
            raise CollectionError(f"{where}: {key!r} has a value of another type; delete the file or restore it")
    if data["reason"] not in get_args(Reason):
        raise CollectionError(f"{where}: 'reason' must be one of {', '.join(get_args(Reason))}")
    _hash_of(data["average_hash"], where)
    top = tuple(_scored(item, where) for item in data["top"])
    return KeptFrame(**{**data, "top": top, "reason": cast("Reason", data["reason"])})


def _scored(data: Any, where: str) -> Scored:  # noqa: ANN401 - parsed JSON
    if not isinstance(data, dict) or set(data) != {"label", "score"}:
        raise CollectionError(f"{where}: 'top' must consist of objects with 'label' and 'score'")
    label, score = data["label"], data["score"]
    if not isinstance(label, str) or not isinstance(score, (int, float)):
        raise CollectionError(f"{where}: 'top' contains {data!r}, which is not a label and its score")
    return Scored(label, float(score) if math.isfinite(score) else 0.0)


def _hash_of(digits: str, where: str) -> int:
    try:
        if len(digits) == HASH_DIGITS:
            return int(digits, 16)
    except ValueError:
        pass
    raise CollectionError(f"{where}: 'average_hash' must have {HASH_DIGITS} hexadecimal digits")
