"""The text of a systemd unit that keeps a classifier running for months and restricts what it may do."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.system.confinement import address_lines, home_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

ENVIRONMENT_FILE = "/etc/edgewise.env"
STATE_FOLDER = "/var/lib/edgewise"
MEMORY_MB, CPU_PERCENT, WATCHDOG_S = 512, 200, 60
FILE_OPTIONS = ("--event-log", "--keep-hard")
SECRET_OPTIONS = ("--token-file", "--mqtt-password-file", "--webhook-token-file")
ADDRESS_OPTIONS = ("--source", "--webhook")  # whose value may be @FILE

UNIT = """\
# Install: edge-run service ... | sudo tee /etc/systemd/system/edgewise.service
#          sudo systemctl daemon-reload && sudo systemctl enable --now edgewise
# Secrets (EDGE_RUN_TOKEN, EDGE_RUN_MQTT_PASSWORD, ...): {environment_file}, mode 0600, or files of mode 0600 that
# options name, such as --token-file: systemd reads them as root and passes them on as credentials.
[Unit]
Description=Edgewise classifier on {source}
Wants=network-online.target
After=network-online.target
# A process that crashes again and again is given up after about ten minutes: systemctl reset-failed edgewise
StartLimitIntervalSec=900
StartLimitBurst=40

[Service]
Type=notify
NotifyAccess=main
ExecStart={command}
# The watchdog is notified only while fresh frames are classified.
WatchdogSec={watchdog_s}
TimeoutStartSec=120
Restart=always
RestartSec=10
TimeoutStopSec=30

{identity}
SupplementaryGroups=video
EnvironmentFile=-{environment_file}
{credentials}StateDirectory=edgewise
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
{home}ProtectProc=invisible
ProtectClock=yes
ProtectHostname=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
PrivateTmp=yes
PrivateMounts=yes
LockPersonality=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
{addresses}# ProcSubset=pid is not set: without /proc/cpuinfo, the runtimes do not find their fast kernels.

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
    options = _separated(options)
    source = source if "://" in source or not Path(source).exists() else str(Path(source).resolve())
    words, credentials = _with_credentials(["--source", source, *options])
    argv = [*map(_quoted, [sys.executable, "-m", "edge_runtime.cli", subcommand, str(bundle)]), *words]
    written = [path for path in _written_folders(options) if path != STATE_FOLDER]
    return UNIT.format(
        source=_literal(source),
        command=" ".join(argv),
        identity="DynamicUser=yes" if user == "root" else f"User={user}",
        write_paths="".join(f"ReadWritePaths={_quoted(path)}\n" for path in written),
        credentials="".join(f"LoadCredential={name}:{_literal(path)}\n" for name, path in credentials.items()),
        home="".join(f"{line}\n" for line in home_lines([str(bundle), source, *options], written)),
        addresses="".join(f"{line}\n" for line in address_lines(subcommand, source, options)),
        environment_file=ENVIRONMENT_FILE,
        memory_mb=memory_mb,
        memory_high_mb=memory_mb * 9 // 10,
        cpu_percent=cpu_percent,
        watchdog_s=watchdog_s,
    )


def _separated(options: Sequence[str]) -> list[str]:
    """Return the options with `--name=value` as two words."""
    words: list[str] = []
    for word in options:
        words += word.split("=", 1) if word.startswith("--") and "=" in word else [word]
    return words


def _with_credentials(options: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return the quoted options, in which files with secrets are systemd's credentials, and these credentials' files.

    %d is the folder in which systemd puts the credentials; only the service can read it.
    """
    words, credentials = list(map(_quoted, options)), {}
    for index, (option, value) in enumerate(pairwise(options), start=1):
        name = option.lstrip("-")
        if option in SECRET_OPTIONS:
            words[index], credentials[name] = f"%d/{name}", str(Path(value).absolute())
        elif option in ADDRESS_OPTIONS and value.startswith("@"):
            words[index], credentials[name] = f"@%d/{name}", str(Path(value[1:]).absolute())
    return words, credentials


def _written_folders(options: Sequence[str]) -> list[str]:
    """Return the folders of the files that options name for writing; a relative path is in the state folder."""
    files = [value for name, value in pairwise(options) if name in FILE_OPTIONS]
    return [str(Path(STATE_FOLDER, file).parent) for file in files]


def _quoted(word: str) -> str:
    """Quote one word for systemd, in which $ and % have a meaning."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$").replace("\n", "\\n")
    escaped = _literal(escaped)
    return f'"{escaped}"' if not word or set(word) & set(" \t\"'\\;#\n") else escaped


def _literal(text: str) -> str:
    return text.replace("%", "%%").replace("\n", " ")
