"""Decide on the device which release it takes: no server needs to know the devices."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.storage.digest import sha256_of_bytes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from edge_runtime.update.release import Release

MACHINE_ID = Path("/etc/machine-id")  # see machine-id(5): random, stable, one for each installation


def device_identity() -> str:
    """Return what distinguishes this device from all others: a digest of its machine ID, or its host name."""
    try:
        machine = MACHINE_ID.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        machine = ""
    # machine-id(5) asks not to show the ID itself to others.
    return sha256_of_bytes(f"edgewise {machine}".encode())[:16] if machine else socket.gethostname()


def position(identity: str, release: Release) -> float:
    """Return a device's place in the rollout of a release, in [0, 100): uniform and independent between releases."""
    digest = sha256_of_bytes(f"{identity} {release.channel} {release.version}".encode())
    return int(digest[:13], 16) / 16**13 * 100


def chosen(releases: Iterable[Release], channel: str, identity: str, refused: Collection[int]) -> Release | None:
    """Return the newest release of a channel that this device may take; None if there is none.

    Args:
        releases: all releases of the repository.
        channel: the channel that this device follows.
        identity: from `device_identity`.
        refused: the versions that failed on this device.

    """
    allowed = [
        release
        for release in releases
        if release.channel == channel
        and not release.facts.withdrawn
        and release.version not in refused
        and position(identity, release) < release.facts.rollout
    ]
    return max(allowed, key=lambda release: release.version, default=None)
