"""What devices make of the same bundles and photographs as the host, and whether it is the same."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from emulated.bundles import cnn_bundle, mobilenet_bundle
from emulated.cache import kept
from emulated.commands import run
from emulated.given import GUEST_SCRIPTS, PROJECT
from emulated.processor import Guest
from emulated.sizes import parts, without_unneeded
from emulated.wheels import PIP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from emulated.faults import Fault
    from emulated.given import Given
    from emulated.targets import Target

    Replay = Mapping[str, Mapping[str, Any]]  # by bundle and artifact

REPLAY = GUEST_SCRIPTS / "replay.py"
IMPORTS = GUEST_SCRIPTS / "imports.py"
SMALL = (cnn_bundle,)
BUNDLES = (*SMALL, mobilenet_bundle)
ALLOWED_IMPORTS = frozenset({"edge_runtime", "numpy", "PIL"})


def replay_on_host(given: Given, pillow: str = "") -> Replay:
    """Replay with the wheel's code, the host's LiteRT, and its Pillow or another."""
    path = [given.runtime, *([_pillow(pillow)] if pillow else [])]
    env = {"PYTHONPATH": os.pathsep.join(map(str, path))}
    request = _request(given, BUNDLES)
    answer: Replay = json.loads(run(sys.executable, REPLAY, request, env=env, folder=given.scratch))
    return answer


def replay_on_device(given: Given, target: Target, processor: str) -> Replay:
    """Replay on an emulated processor."""
    return _replay(given, given.guest(target, processor), BUNDLES)


def replay_small(given: Given, target: Target, processor: str, fault: Fault | None = None) -> Replay:
    """Replay the small network alone, which takes a third of the time."""
    return _replay(given, given.guest(target, processor, fault), SMALL)


def replay_without_unneeded(given: Given, target: Target, processor: str) -> tuple[Replay, int]:
    """Replay where what can be left out of the installation was deleted; give the bytes that remain too."""
    lean = without_unneeded(given.installed(target), given.fresh_folder("lean"))
    sites = [given.runtime, lean]
    return _replay(given, Guest(target, processor, sites), SMALL), sum(parts(sites).values())


def differences(host: Replay, device: Replay) -> Iterator[str]:
    """Say in what a device's replay is not as it should be.

    Outputs may differ, within what `edge-run selftest` allows; preprocessed pixels and decisions may not.
    """
    if not device or not device.keys() <= host.keys():
        yield f"other artifacts were replayed: {sorted(device)}"
    for name in device.keys() & host.keys():
        code, _, said = device[name]["selftest"]
        if code:
            yield f"{_short(name)}: selftest: {said.strip()}"
        for field in ("classify", "tensors"):
            if host[name][field] != device[name][field]:
                yield f"{_short(name)}: {field}: {device[name][field]}, not {host[name][field]}"


def drifts(host: Replay, device: Replay) -> dict[str, float]:
    """Give how far a device's probabilities lie from the host's, at most, by artifact."""
    return {
        _short(name): float(np.abs(np.subtract(host[name]["scores"], device[name]["scores"])).max()) for name in host
    }


def imported_on_device(given: Given, target: Target, processor: str, fault: Fault | None = None) -> list[str]:
    """Give what importing the runtime's every public name loads beyond the standard library."""
    found: list[str] = json.loads(given.guest(target, processor, fault).python(IMPORTS))
    return found


def heavy(imported: list[str]) -> set[str]:
    """Give what a device would load and not need."""
    return set(imported) - ALLOWED_IMPORTS


def _pillow(version: str) -> Path:
    def make(folder: Path) -> None:
        run(*PIP, "install", "--no-deps", "--target", folder, f"pillow=={version}")

    return kept("host-pillow", [version, sys.version_info[:2]], make)


def _replay(given: Given, guest: Guest, bundles: Sequence[Callable[[Path], Path]]) -> Replay:
    answer: Replay = json.loads(guest.python(REPLAY, _request(given, bundles)))
    return answer


def _request(given: Given, bundles: Sequence[Callable[[Path], Path]]) -> str:
    """Give what replay.py is asked for: every artifact of some bundles, all photographs."""
    asked = {}
    for bundle in (make(PROJECT) for make in bundles):
        manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
        asked[str(bundle)] = [artifact["name"] for artifact in manifest["artifacts"]]
    return json.dumps({"bundles": asked, "photographs": list(map(str, given.photographs))})


def _short(name: str) -> str:
    """Give "cnn int8.tflite" for a bundle's folder and an artifact."""
    *_, folder, _, artifact = name.split("/")
    return f"{folder.removeprefix('bundle-').rpartition('-')[0]} {artifact}"
