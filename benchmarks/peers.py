"""Measure the processes of edge-run, a bare loop and MediaPipe, which classify the same photographs."""

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
    """The interpreters of two environments: that of a device, and one with MediaPipe."""

    device: str
    mediapipe: str

    @property
    def edge_run(self) -> str:
        """Return the path of the command in the device's environment."""
        return str(Path(self.device).with_name("edge-run"))


class Cost(NamedTuple):
    """A process's wall time and processor time in seconds, its peak memory in MiB, and the lines that it printed."""

    wall_s: float
    processor_s: float
    peak_mb: float
    lines: list[str]


def cost(command: Sequence[str]) -> Cost:
    """Run a command and measure its process."""
    with tempfile.TemporaryFile("w+") as printed:
        start_s = perf_counter()
        # posix_spawn, because the peak memory of a forked child starts at that of this process.
        actions = [(os.POSIX_SPAWN_DUP2, printed.fileno(), 1), (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)]
        pid = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
        _, status, usage = os.wait4(pid, 0)
        wall_s = perf_counter() - start_s
        if status:
            raise SystemExit(f"failed: {' '.join(command)[:300]}")
        printed.seek(0)
        lines = printed.read().splitlines()
    return Cost(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, lines)


def alternate(commands: dict[str, list[str]], rounds: int) -> dict[str, Cost]:
    """Run all commands in each round; return each command's medians over the rounds and the lines of its last run."""
    rows: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(rounds + 1):  # the first round fills the disk cache
        for name, command in commands.items():
            rows[name].append(cost(command))
    return {
        name: Cost(*(median(column) for column in list(zip(*costs[1:], strict=True))[:3]), costs[-1].lines)
        for name, costs in rows.items()
    }


def commands_for(
    bundle: str, artifact: str, pythons: Pythons, photos: list[str], *, workers: int = 1
) -> dict[str, list[str]]:
    """Return each program's command for the same model file and photographs, with one thread.

    MediaPipe has no option for the number of threads; on x86-64 it uses one. `workers` applies to edge-run only.
    """
    model = str(Path(bundle) / f"model.{artifact}")
    options = ["--artifact", artifact, "--threads", "1", "--workers", str(workers)]
    return {
        "bare": [pythons.device, str(HERE / "bare.py"), model, "1", *photos],
        "edge_run": [pythons.edge_run, "classify", bundle, *options, *photos],
        "mediapipe": [pythons.mediapipe, str(HERE / "peer_mediapipe.py"), model, *photos],
    }
