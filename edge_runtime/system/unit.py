"""The text of a systemd unit that keeps a classifier running for months and restricts what it may do."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.system.confinement import address_lines, home_lines
from edge_runtime.system.hardening import HARDENING, identity, literal, quoted

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

{hardening}
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
    models: Path | None = None,
    memory_mb: int = MEMORY_MB,
    cpu_percent: int = CPU_PERCENT,
    watchdog_s: int = WATCHDOG_S,
) -> str:
    """Return the unit's text; see the command's options.

    Args:
        bundle: the bundle, or the link to the current one in a models folder.
        source: the camera.
        options: further options of the subcommand.
        subcommand: "watch" or "serve".
        user: for root, systemd creates a user that exists only at run time.
        models: the models folder, if the unit follows one: the command writes there what it finds about releases.
        memory_mb: limit of the memory.
        cpu_percent: limit of the processor time; 100 is one core.
        watchdog_s: seconds without a decision on a fresh frame after which systemd restarts it.

    """
    options = separated(options)
    source = source if "://" in source or not Path(source).exists() else str(Path(source).resolve())
    words, credentials = _with_credentials(["--source", source, *options])
    argv = [*map(quoted, [sys.executable, "-m", "edge_runtime.cli", subcommand, str(bundle)]), *words]
    folders = [*_written_folders(options), *([str(models)] if models else [])]
    written = [path for path in folders if not Path(path).is_relative_to(STATE_FOLDER)]
    return UNIT.format(
        source=literal(source),
        command=" ".join(argv),
        identity=identity(user),
        write_paths="".join(f"ReadWritePaths={quoted(path)}\n" for path in written),
        credentials="".join(f"LoadCredential={name}:{literal(path)}\n" for name, path in credentials.items()),
        hardening=HARDENING.format(
            home="".join(f"{line}\n" for line in home_lines([str(bundle), source, *options], written)),
            addresses="".join(f"{line}\n" for line in address_lines(subcommand, source, options)),
        ),
        environment_file=ENVIRONMENT_FILE,
        memory_mb=memory_mb,
        memory_high_mb=memory_mb * 9 // 10,
        cpu_percent=cpu_percent,
        watchdog_s=watchdog_s,
    )


def separated(options: Sequence[str]) -> list[str]:
    """Return the options with `--name=value` as two words."""
    words: list[str] = []
    for word in options:
        words += word.split("=", 1) if word.startswith("--") and "=" in word else [word]
    return words


def _with_credentials(options: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return the quoted options, in which files with secrets are systemd's credentials, and these credentials' files.

    %d is the folder in which systemd puts the credentials; only the service can read it.
    """
    words, credentials = list(map(quoted, options)), {}
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
