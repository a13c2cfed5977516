"""The saved choice of artifact, backend and threads for a bundle on this device.

The file is in the folder that the XDG base directory specification defines. A choice that root saved applies to all
users, for example the user of a service. A user's own choice has priority. The file's name is the manifest's digest.
The choice is ignored if the bundle, the version of the runtime or the processor has changed.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.backends.names import BACKEND_NAMES, BACKENDS_BY_FORMAT, DISTRIBUTIONS, BackendName, installed
from edge_runtime.errors import BundleError
from edge_runtime.storage.json_files import write_json
from edge_runtime.system.device_state import processor
from edge_runtime.system.versions import installed_version

if TYPE_CHECKING:
    from edge_runtime.model.bundle import Bundle

CHOICE_VERSION = 1


@dataclass(frozen=True)
class Choice:
    """An artifact, the backend that runs it, and the conditions of the measurement.

    Attributes:
        artifact: its name in the bundle.
        backend: the backend that runs it.
        threads: number of threads for the runtime's kernels.
        runtime: the backend's version when it was measured.
        processor: the processor on which it was measured.

    """

    artifact: str
    backend: BackendName
    threads: int
    runtime: str
    processor: str


def make_choice(artifact: str, backend: BackendName, threads: int) -> Choice:
    """Return a choice for this processor and the installed version of the backend."""
    return Choice(artifact, backend, threads, installed_version(DISTRIBUTIONS[backend]) or "", processor())


def keep_choice(bundle: Bundle, choice: Choice) -> Path:
    """Save a choice on this device, for this user or, as root, for all users.

    Returns:
        The file that contains it.

    Raises:
        BundleError: the file cannot be written.

    """
    for_all_users = os.geteuid() == 0 and not os.environ.get("XDG_CONFIG_HOME")
    folder = _system_folders()[0] if for_all_users else _own_folder()
    if folder is None:
        raise BundleError("the choice cannot be saved: neither XDG_CONFIG_HOME nor HOME is set")
    path = folder / _name(bundle)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"version": CHOICE_VERSION, **asdict(choice)})
    except OSError as problem:
        raise BundleError(f"{path}: the choice cannot be saved: {problem.strerror}") from None
    return path


def kept_choice(bundle: Bundle) -> Choice | None:
    """Return the saved choice, or None if there is none or if it does not apply to this bundle and device."""
    try:
        name = _name(bundle)
        paths = (folder / name for folder in (_own_folder(), *_system_folders()) if folder)
        path = next((path for path in paths if path.is_file()), None)
        data = json.loads(path.read_text(encoding="utf-8")) if path else None
        if not isinstance(data, dict) or data.pop("version", None) != CHOICE_VERSION:
            return None
        choice = Choice(**data)
        return choice if _applies(choice, bundle) else None
    except (OSError, ValueError, TypeError):
        return None


def _applies(choice: Choice, bundle: Bundle) -> bool:
    artifact = bundle.artifacts.get(choice.artifact)
    return (
        artifact is not None
        and choice.backend in BACKEND_NAMES
        and choice.backend in BACKENDS_BY_FORMAT[artifact.format]
        and bool(installed((choice.backend,)))
        and type(choice.threads) is int
        and 1 <= choice.threads <= len(os.sched_getaffinity(0))
        and choice.runtime == (installed_version(DISTRIBUTIONS[choice.backend]) or "")
        and choice.processor == processor()
    )


def _own_folder() -> Path | None:
    base = os.environ.get("XDG_CONFIG_HOME", "")
    if not base.startswith("/"):  # the specification says to ignore a relative path
        home = os.environ.get("HOME", "")
        return Path(home, ".config") if home.startswith("/") else None
    return Path(base)


def _system_folders() -> list[Path]:
    found = [Path(base) for base in os.environ.get("XDG_CONFIG_DIRS", "").split(":") if base.startswith("/")]
    return found or [Path("/etc/xdg")]


def _name(bundle: Bundle) -> str:
    return f"edgewise/choices/{bundle.sha256}.json"
