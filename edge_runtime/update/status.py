"""What a device can say about its model: which version it runs, and what it does with the next one."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_runtime.update.release import CHANNEL
from edge_runtime.update.trial import probation_of, read_trial

if TYPE_CHECKING:
    from edge_runtime.update.models import Models

FOLDER = re.compile(rf"(?P<channel>{CHANNEL.pattern})-(?P<version>[1-9][0-9]{{0,8}})-(?P<bundle>[0-9a-f]{{8}})")
PROBATION = "probation:"  # how the reason of a release that was taken back begins, see `edge_runtime.update.follow`


@dataclass(frozen=True)
class ModelStatus:
    """The state of a models folder.

    Attributes:
        channel: of the current version; None if there is none.
        version: its number.
        bundle: the first 8 hexadecimal digits of the SHA-256 of its manifest.
        state: "good"; "shadow" while a newer release is tried; "probation" of the current version; "taken back" or
            "refused" if that happened to the newest release that was tried.
        detail: one line for people, such as the reason; may be empty.

    """

    channel: str | None
    version: int | None
    bundle: str
    state: str
    detail: str


def status_of(models: Models) -> ModelStatus:
    """Return the state of a models folder. Raise UpdateError for a damaged file."""
    name = models.current()
    found = FOLDER.fullmatch(name or "")
    channel, version = (found["channel"], int(found["version"])) if found else (None, None)
    state, detail = _state(models, name, channel, version)
    return ModelStatus(channel, version, found["bundle"] if found else "", state, detail)


def _state(models: Models, name: str | None, channel: str | None, version: int | None) -> tuple[str, str]:
    trial = read_trial(models.folder)
    if trial and trial.phase == "shadow" and time.time() < trial.until:
        return "shadow", f"{trial.channel} {trial.version}"
    if probation_of(models.folder, name):
        return "probation", ""
    refused = models.refused(channel) if channel else {}
    newest = max(refused, default=0)
    if version is None or newest <= version:
        return "good", ""
    reason = refused[newest]
    state = "taken back" if reason.startswith(PROBATION) else "refused"
    return state, f"{channel} {newest}: {reason.removeprefix(PROBATION).strip()}"
