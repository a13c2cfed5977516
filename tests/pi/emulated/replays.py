"""Run the same bundles and photographs on devices and on the host, and compare the results."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from emulated.bundles import cnn_bundle, mobilenet_bundle
from emulated.cache import cached
from emulated.commands import run
from emulated.inputs import GUEST_SCRIPTS, PROJECT
from emulated.processor import Guest
from emulated.sizes import distribution_bytes, without_unneeded
from emulated.wheels import PIP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from emulated.faults import Fault
    from emulated.inputs import DeviceInputs
    from emulated.targets import Target

    Replay = Mapping[str, Mapping[str, Any]]  # by bundle and artifact

REPLAY = GUEST_SCRIPTS / "replay.py"
IMPORTS = GUEST_SCRIPTS / "imports.py"
SMALL = (cnn_bundle,)
BUNDLES = (*SMALL, mobilenet_bundle)
ALLOWED_IMPORTS = frozenset({"edge_runtime", "numpy", "PIL"})


def replay_on_host(inputs: DeviceInputs, pillow: str = "") -> Replay:
    """Replay on the host, with the wheel's code, the host's LiteRT, and its Pillow or another version."""
    path = [inputs.runtime, *([_pillow(pillow)] if pillow else [])]
    env = {"PYTHONPATH": os.pathsep.join(map(str, path))}
    request = _request(inputs, BUNDLES)
    answer: Replay = json.loads(run(sys.executable, REPLAY, request, env=env, folder=inputs.scratch))
    return answer


def replay_on_device(inputs: DeviceInputs, target: Target, processor: str) -> Replay:
    """Replay on an emulated processor."""
    return _replay(inputs, inputs.guest(target, processor), BUNDLES)


def replay_small(inputs: DeviceInputs, target: Target, processor: str, fault: Fault | None = None) -> Replay:
    """Replay only the small CNN, which takes a third of the time."""
    return _replay(inputs, inputs.guest(target, processor, fault), SMALL)


def replay_without_unneeded(inputs: DeviceInputs, target: Target, processor: str) -> tuple[Replay, int]:
    """Replay without the files that the manual deletes; return the replay and the remaining size in bytes."""
    lean = without_unneeded(inputs.installed(target), inputs.fresh_folder("lean"))
    sites = [inputs.runtime, lean]
    return _replay(inputs, Guest(target, processor, sites), SMALL), sum(distribution_bytes(sites).values())


def differences(host: Replay, device: Replay) -> Iterator[str]:
    """Yield what is wrong in a device's replay.

    Outputs may differ within the tolerance of `edge-run selftest`; preprocessed pixels and decisions must be equal.
    """
    if not device or not device.keys() <= host.keys():
        yield f"other artifacts were replayed: {sorted(device)}"
    for name in device.keys() & host.keys():
        code, _, stderr = device[name]["selftest"]
        if code:
            yield f"{_short(name)}: selftest: {stderr.strip()}"
        for field in ("classify", "tensors"):
            if host[name][field] != device[name][field]:
                yield f"{_short(name)}: {field}: {device[name][field]}, not {host[name][field]}"


def score_differences(host: Replay, device: Replay) -> dict[str, float]:
    """Return the largest absolute difference of a probability from the host's, by artifact."""
    return {
        _short(name): float(np.abs(np.subtract(host[name]["scores"], device[name]["scores"])).max()) for name in host
    }


def imports_on_device(inputs: DeviceInputs, target: Target, processor: str, fault: Fault | None = None) -> list[str]:
    """Return the modules outside the standard library that importing all public names of the runtime loads."""
    found: list[str] = json.loads(inputs.guest(target, processor, fault).python(IMPORTS))
    return found


def unneeded_imports(imported: list[str]) -> set[str]:
    """Return the imported modules that a device does not need."""
    return set(imported) - ALLOWED_IMPORTS


def _pillow(version: str) -> Path:
    def make(folder: Path) -> None:
        run(*PIP, "install", "--no-deps", "--target", folder, f"pillow=={version}")

    return cached("host-pillow", [version, sys.version_info[:2]], make)


def _replay(inputs: DeviceInputs, guest: Guest, bundles: Sequence[Callable[[Path], Path]]) -> Replay:
    answer: Replay = json.loads(guest.python(REPLAY, _request(inputs, bundles)))
    return answer


def _request(inputs: DeviceInputs, bundles: Sequence[Callable[[Path], Path]]) -> str:
    """Return the argument of replay.py: every artifact of the bundles, and all photographs."""
    artifacts = {}
    for bundle in (make(PROJECT) for make in bundles):
        manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
        artifacts[str(bundle)] = [artifact["name"] for artifact in manifest["artifacts"]]
    return json.dumps({"bundles": artifacts, "photographs": list(map(str, inputs.photographs))})


def _short(name: str) -> str:
    """Return a short name such as "cnn int8.tflite" for the path of a bundle and an artifact."""
    *_, folder, _, artifact = name.split("/")
    return f"{folder.removeprefix('bundle-').rpartition('-')[0]} {artifact}"
