"""Whole processes side by side: edge-run and a bare loop in a device's environment, MediaPipe in one of its own."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parent


class Pythons(NamedTuple):
    """The interpreters of two environments: a device's, and one with MediaPipe."""

    device: str
    mediapipe: str

    @property
    def edge_run(self) -> str:
        return str(Path(self.device).with_name("edge-run"))


class Cost(NamedTuple):
    """A process's seconds by the clock and by the processor, its peak memory in MB, and the lines it printed."""

    wall_s: float
    processor_s: float
    peak_mb: float
    lines: list[str]


def cost(command: Sequence[str]) -> Cost:
    with tempfile.TemporaryFile("w+") as printed:
        began = perf_counter()
        # vfork and exec at once: a forked child would begin with this process's own memory as its peak.
        actions = [(os.POSIX_SPAWN_DUP2, printed.fileno(), 1), (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)]
        pid = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
        _, status, usage = os.wait4(pid, 0)
        wall_s = perf_counter() - began
        if status:
            raise SystemExit(f"failed: {' '.join(command)[:300]}")
        printed.seek(0)
        lines = printed.read().splitlines()
    return Cost(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, lines)


def in_turns(commands: dict[str, list[str]], rounds: int) -> dict[str, Cost]:
    """Give each command's medians over some rounds, each of which runs all of them, and the lines of the last."""
    rows: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(rounds + 1):  # the first fills the disk cache
        for name, command in commands.items():
            rows[name].append(cost(command))
    return {
        name: Cost(*(median(column) for column in list(zip(*found[1:], strict=True))[:3]), found[-1].lines)
        for name, found in rows.items()
    }


def commands_for(
    bundle: str, artifact: str, pythons: Pythons, photos: list[str], *, workers: int = 1
) -> dict[str, list[str]]:
    """Give the command of each, for the same model file and photographs, one thread each.

    MediaPipe cannot be told how many threads; on x86-64 it takes one. `workers` are edge-run's alone.
    """
    model = str(Path(bundle) / f"model.{artifact}")
    options = ["--artifact", artifact, "--threads", "1", "--workers", str(workers)]
    return {
        "bare": [pythons.device, str(HERE / "bare.py"), model, "1", *photos],
        "edge_run": [pythons.edge_run, "classify", bundle, *options, *photos],
        "mediapipe": [pythons.mediapipe, str(HERE / "peer_mediapipe.py"), model, *photos],
    }
