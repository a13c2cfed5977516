"""What a command reports to a fleet about its device and its model."""

from __future__ import annotations

import shutil
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.errors import EdgeError
from edge_runtime.live.sinks.device_report import MAX_TEXT, DeviceFacts
from edge_runtime.model.bundle import Bundle
from edge_runtime.system.device_state import temperature_c

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def facts_of(bundle: str, tags: Sequence[str]) -> Callable[[], DeviceFacts]:
    """Return a function that reads what a device can say about itself.

    Args:
        bundle: the bundle, or the link to the current one in a models folder.
        tags: the groups of the device.

    """
    from edge_runtime.update.follow import is_followed
    from edge_runtime.update.models import Models
    from edge_runtime.update.rollout import device_identity
    from edge_runtime.update.status import ModelStatus, status_of

    alone = ModelStatus(None, None, Bundle.open(Path(bundle)).sha256[:8], "", "")
    models = Models(Path(bundle).parent) if is_followed(bundle) else None

    def facts() -> DeviceFacts:
        """Read the state of the device and of its models folder."""
        status, free = alone, None
        with suppress(EdgeError, OSError):  # a damaged folder: `edge-run update` reports it
            status = status_of(models) if models else alone
        with suppress(OSError):
            free = shutil.disk_usage(bundle).free
        return DeviceFacts(
            device_identity(),
            tuple(tags),
            version("edgewise"),
            status.bundle,
            status.channel,
            status.version,
            status.state,
            status.detail[:MAX_TEXT],
            temperature_c(),
            free,
        )

    return facts
