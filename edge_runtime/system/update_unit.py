"""The text of a systemd service that updates the model once, and of the timer that starts it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.system.confinement import home_lines
from edge_runtime.system.hardening import HARDENING, OWN_USER, identity, quoted
from edge_runtime.system.unit import MEMORY_MB, STATE_FOLDER

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = f"{OWN_USER}-update"
START_S = 300  # after the start of the device: the camera's service starts first
PROVING_S = 3600  # for the download and the proof, in addition to the time in the shadow
DELAY = 0.1  # of the period: not all devices ask at the same moment

SERVICE = """\
# Install: edge-run service --update ... | sudo tee /etc/systemd/system/{name}.service
#          edge-run service --update ... --timer {every} | sudo tee /etc/systemd/system/{name}.timer
#          sudo systemctl daemon-reload && sudo systemctl enable --now {name}.timer
# A release that is refused makes this unit fail: systemctl status {name} shows why.
[Unit]
Description=Edgewise: update the model
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
ExecStart={command}
TimeoutStartSec={timeout_s}
Nice=10

{identity}
StateDirectory=edgewise
WorkingDirectory=%S/edgewise
{write_paths}UMask=0077

MemoryMax={memory_mb}M
TasksMax=128

PrivateDevices=yes
{hardening}"""

TIMER = """\
# Install as /etc/systemd/system/{name}.timer, next to {name}.service.
[Unit]
Description=Edgewise: update the model regularly

[Timer]
OnBootSec={start_s}
OnUnitInactiveSec={every_s}
RandomizedDelaySec={delay_s}

[Install]
WantedBy=timers.target
"""


def update_unit(
    options: Sequence[str], *, repository: str, models: Path, shadow_s: float, user: str, memory_mb: int = MEMORY_MB
) -> str:
    """Return the text of the service.

    Args:
        options: the words after `edge-run update`.
        repository: the value of their --repository.
        models: the value of their --models; a relative path is in the state folder.
        shadow_s: the value of their --shadow, in seconds.
        user: the user of the service that runs the model; for root, systemd creates one that exists only at run time.
        memory_mb: limit of the memory.

    """
    folder = str(Path(STATE_FOLDER, models))
    written = [] if Path(folder).is_relative_to(STATE_FOLDER) else [folder]
    is_local = "://" not in repository
    return SERVICE.format(
        name=NAME,
        every="1h",
        command=" ".join(map(quoted, [sys.executable, "-m", "edge_runtime.cli", "update", *options])),
        timeout_s=round(shadow_s) + PROVING_S,
        identity=identity(user),
        write_paths="".join(f"ReadWritePaths={quoted(path)}\n" for path in written),
        memory_mb=memory_mb,
        hardening=HARDENING.format(
            home="".join(f"{line}\n" for line in home_lines(options, written)),
            addresses="IPAddressDeny=any\n" if is_local else "",
        ),
    )


def update_timer(every_s: float) -> str:
    """Return the text of the timer that starts the service again and again, `every_s` seconds after its last end."""
    return TIMER.format(name=NAME, start_s=START_S, every_s=round(every_s), delay_s=round(every_s * DELAY))
