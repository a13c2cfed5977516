"""The way to run a bundle that was measured best on this device, kept in the user's configuration, or the system's.

It lies where the XDG base directory specification says: what root keeps is for all users, such as the one that a
service runs as, and a user's own goes before it. It is keyed by the manifest's digest and holds what it depends on, so
that another bundle, another runtime or another processor ends it: then it is as if nothing had been kept.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from edge_runtime.backends.names import BACKEND_NAMES, BACKENDS_BY_FORMAT, DISTRIBUTIONS, BackendName, installed
from edge_runtime.errors import BundleError
from edge_runtime.model.bundle import MANIFEST_NAME, Bundle
from edge_runtime.storage.digest import sha256_of
from edge_runtime.storage.json_files import write_json
from edge_runtime.system.device_state import processor
from edge_runtime.system.versions import installed_version

CHOICE_VERSION = 1


@dataclass(frozen=True)
class Choice:
    """A way to run a bundle.

    Attributes:
        artifact: its name in the bundle.
        backend: what runs it.
        threads: for the runtime's kernels.
        runtime: the backend's version when it was measured.
        processor: what it was measured on.

    """

    artifact: str
    backend: BackendName
    threads: int
    runtime: str
    processor: str


def make_choice(artifact: str, backend: BackendName, threads: int) -> Choice:
    """Make the choice of what was measured here and now."""
    return Choice(artifact, backend, threads, installed_version(DISTRIBUTIONS[backend]) or "", processor())


def keep_choice(bundle: Bundle, choice: Choice) -> Path:
    """Keep a choice on this device, for this user or, as root, for all.

    Returns:
        Its file.

    Raises:
        BundleError: it cannot be written.

    """
    for_all = os.geteuid() == 0 and not os.environ.get("XDG_CONFIG_HOME")
    folder = _system_folders()[0] if for_all else _own_folder()
    if folder is None:
        raise BundleError("the choice cannot be kept: neither XDG_CONFIG_HOME nor HOME is set")
    path = folder / _name(bundle)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"version": CHOICE_VERSION, **asdict(choice)})
    except OSError as problem:
        raise BundleError(f"{path}: the choice cannot be kept: {problem.strerror}") from None
    return path


def kept_choice(bundle: Bundle) -> Choice | None:
    """Give the kept choice if there is one and all that it depends on is as it was; never raises."""
    try:
        name = _name(bundle)
        paths = (folder / name for folder in (_own_folder(), *_system_folders()) if folder)
        path = next((path for path in paths if path.is_file()), None)
        data = json.loads(path.read_text(encoding="utf-8")) if path else None
        if not isinstance(data, dict) or data.pop("version", None) != CHOICE_VERSION:
            return None
        choice = Choice(**data)
        return choice if _fits(choice, bundle) else None
    except (OSError, ValueError, TypeError):
        return None


def _fits(choice: Choice, bundle: Bundle) -> bool:
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
    if not base.startswith("/"):  # the standard says that a relative one is to be ignored
        home = os.environ.get("HOME", "")
        return Path(home, ".config") if home.startswith("/") else None
    return Path(base)


def _system_folders() -> list[Path]:
    found = [Path(base) for base in os.environ.get("XDG_CONFIG_DIRS", "").split(":") if base.startswith("/")]
    return found or [Path("/etc/xdg")]


def _name(bundle: Bundle) -> str:
    return f"edgewise/choices/{sha256_of(bundle.folder / MANIFEST_NAME)}.json"
