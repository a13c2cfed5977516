"""Read TF_CONFIG: the machines that train together, and which of them this process is."""

from __future__ import annotations

import json
import os
from typing import NamedTuple

from trainer.errors import TrainingError

FORM = 'as {"cluster": {"worker": ["host:port", "host:port"]}, "task": {"type": "worker", "index": 0}}'


class Cluster(NamedTuple):
    """Machines that train together.

    Attributes:
        workers: number of machines.
        name: of this machine, such as "worker 1".
        chief: whether this machine writes the RUN: the chief, or worker 0 if there is no chief.

    """

    workers: int
    name: str
    chief: bool


ALONE = Cluster(1, "worker 0", chief=True)  # a single machine


def read_cluster(strategy: str) -> Cluster:
    """Read TF_CONFIG if the strategy uses it, as "auto" and "multiworker" do.

    Raises:
        TrainingError: it is invalid, or is missing although --strategy multiworker needs it.

    """
    text = os.environ.get("TF_CONFIG", "").strip()
    if strategy == "mirrored" or (strategy == "auto" and not text):
        return ALONE
    if not text:
        raise TrainingError(f"--strategy multiworker: TF_CONFIG is not set; set it on every machine, {FORM}")
    try:
        config = json.loads(text)
        addresses, task = config["cluster"], (config["task"]["type"], int(config["task"]["index"]))
        tasks = [(kind, at) for kind in ("chief", "worker") for at in range(len(addresses.get(kind, [])))]
        unknown = set(addresses) - {"chief", "worker"}
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise TrainingError(f"TF_CONFIG: not readable ({type(problem).__name__} {problem}); set it {FORM}") from None
    if unknown or task not in tasks:
        wrong = f"{min(unknown)!r} is neither chief nor worker" if unknown else f"has no task {task[0]} {task[1]}"
        raise TrainingError(f"TF_CONFIG: {wrong}; set it {FORM}")
    return Cluster(len(tasks), f"{task[0]} {task[1]}", chief=task == tasks[0])
