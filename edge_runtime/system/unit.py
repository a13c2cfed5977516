"""The text of a systemd unit that keeps a classifier running for months and restricts what it may do."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ENVIRONMENT_FILE = "/etc/edgewise.env"
STATE_FOLDER = "/var/lib/edgewise"
MEMORY_MB, CPU_PERCENT, WATCHDOG_S = 512, 200, 60
FILE_OPTIONS = ("--event-log",)

UNIT = """\
# Install: edge-run service ... | sudo tee /etc/systemd/system/edgewise.service
#          sudo systemctl daemon-reload && sudo systemctl enable --now edgewise
# Secrets (EDGE_RUN_TOKEN, EDGE_RUN_MQTT_PASSWORD, ...): {environment_file}, mode 0600.
[Unit]
Description=Edgewise classifier on {source}
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
# The watchdog is notified only while fresh frames are classified.
WatchdogSec={watchdog_s}
TimeoutStartSec=120
Restart=always
RestartSec=5

{identity}
SupplementaryGroups=video
EnvironmentFile=-{environment_file}
StateDirectory=edgewise
WorkingDirectory=%S/edgewise
{write_paths}UMask=0077

MemoryHigh={memory_high_mb}M
MemoryMax={memory_mb}M
CPUQuota={cpu_percent}%
TasksMax=128

NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=read-only
ProtectProc=invisible
ProtectClock=yes
ProtectHostname=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
PrivateTmp=yes
LockPersonality=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK

# Cameras, the Raspberry Pi's camera pipeline and its firmware's temperature sensor; no other device.
DevicePolicy=closed
DeviceAllow=char-video4linux rw
DeviceAllow=char-media rw
DeviceAllow=char-dma_heap rw
DeviceAllow=/dev/vcio rw
DeviceAllow=/dev/vchiq rw

[Install]
WantedBy=multi-user.target
"""


def unit(
    bundle: Path,
    source: str,
    options: Sequence[str] = (),
    *,
    subcommand: str = "watch",
    user: str = "root",
    memory_mb: int = MEMORY_MB,
    cpu_percent: int = CPU_PERCENT,
    watchdog_s: int = WATCHDOG_S,
) -> str:
    """Return the unit's text; see the command's options.

    For root, systemd creates a user that exists only at run time.
    """
    source = source if "://" in source or not Path(source).exists() else str(Path(source).resolve())
    argv = [sys.executable, "-m", "edge_runtime.cli", subcommand, str(bundle), "--source", source, *options]
    paths = [path for path in _written_folders(options) if path != STATE_FOLDER]
    return UNIT.format(
        source=_literal(source),
        command=" ".join(map(_quoted, argv)),
        identity="DynamicUser=yes" if user == "root" else f"User={user}",
        write_paths="".join(f"ReadWritePaths={_quoted(path)}\n" for path in paths),
        environment_file=ENVIRONMENT_FILE,
        memory_mb=memory_mb,
        memory_high_mb=memory_mb * 9 // 10,
        cpu_percent=cpu_percent,
        watchdog_s=watchdog_s,
    )


def _written_folders(options: Sequence[str]) -> list[str]:
    """Return the folders of the files that options name for writing; a relative path is in the state folder."""
    files = [value for name, value in pairwise(options) if name in FILE_OPTIONS]
    files += [text.partition("=")[2] for text in options if text.startswith(tuple(f"{name}=" for name in FILE_OPTIONS))]
    return [str(Path(STATE_FOLDER, file).parent) for file in files]


def _quoted(word: str) -> str:
    """Quote one word for systemd, in which $ and % have a meaning."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$").replace("\n", "\\n")
    escaped = _literal(escaped)
    return f'"{escaped}"' if not word or set(word) & set(" \t\"'\\;#\n") else escaped


def _literal(text: str) -> str:
    return text.replace("%", "%%").replace("\n", " ")
