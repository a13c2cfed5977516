"""What was seen in each hour of the last two days and on each day of the last month, in the device's local time."""

from __future__ import annotations

import math
import time
from collections import Counter
from typing import Any, NamedTuple

from edge_runtime.drift.baseline import STATISTICS

MOST_HOURS, MOST_DAYS = 48, 31
MOST_LABELS = 200
HOUR, DAY = "%Y-%m-%dT%H", "%Y-%m-%d"


class Bucket(NamedTuple):
    """The samples of an hour or a day.

    Attributes:
        samples: their number.
        positions: sum of each statistic's position.
        unfamiliar: number of unfamiliar samples.
        labels: number of samples of each decision.

    """

    samples: int
    positions: list[float]
    unfamiliar: int
    labels: Counter[str]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object with means."""
        return {
            "samples": self.samples,
            "positions": {
                name: round(total / self.samples, 3) for name, total in zip(STATISTICS, self.positions, strict=True)
            },
            "unfamiliar": round(self.unfamiliar / self.samples, 3),
            "labels": dict(self.labels),
        }


class History:
    """Buckets of hours and days; the oldest are removed."""

    def __init__(self) -> None:
        self.hours: dict[str, Bucket] = {}
        self.days: dict[str, Bucket] = {}

    def add(self, at: float, positions: tuple[float, ...], label: str, *, unfamiliar: bool) -> None:
        """Include a sample."""
        local = time.localtime(at)
        for buckets, form, most in ((self.hours, HOUR, MOST_HOURS), (self.days, DAY, MOST_DAYS)):
            key = time.strftime(form, local)
            before = buckets.get(key) or Bucket(0, [0.0] * len(STATISTICS), 0, Counter())
            if label in before.labels or len(before.labels) < MOST_LABELS:
                before.labels[label] += 1
            summed = [total + new for total, new in zip(before.positions, positions, strict=True)]
            buckets[key] = Bucket(before.samples + 1, summed, before.unfamiliar + unfamiliar, before.labels)
            while len(buckets) > most:
                del buckets[min(buckets)]

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            name: {key: bucket.to_json() for key, bucket in buckets.items()}
            for name, buckets in (("hours", self.hours), ("days", self.days))
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> History:
        """Read what `to_json` returned. Raise ValueError, KeyError or TypeError if it is something else."""
        found = cls()
        for buckets, name, form, most in (
            (found.hours, "hours", HOUR, MOST_HOURS),
            (found.days, "days", DAY, MOST_DAYS),
        ):
            for key, bucket in sorted(data[name].items())[-most:]:
                time.strptime(key, form)
                buckets[key] = _bucket(bucket)
        return found


def _bucket(data: dict[str, Any]) -> Bucket:
    samples = data["samples"]
    means = [float(data["positions"][name]) for name in STATISTICS]
    labels = Counter({str(label): int(count) for label, count in list(data["labels"].items())[:MOST_LABELS]})
    unfamiliar = float(data["unfamiliar"])
    if type(samples) is not int or samples < 1 or not all(map(math.isfinite, [*means, unfamiliar])):
        raise ValueError("a bucket has samples and finite means")
    return Bucket(samples, [mean * samples for mean in means], round(unfamiliar * samples), labels)
