"""edge-run service: print a systemd unit that keeps a classifier running for months, and holds it in."""

from __future__ import annotations

import os
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.command import SUCCESS, USAGE, positive_int
from edge_runtime.errors import BundleError, SourceError

if TYPE_CHECKING:
    import argparse
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
# The watchdog is fed only while fresh frames are decided.
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

# Cameras, the Raspberry Pi's camera pipeline and its firmware's thermometer; no other device.
DevicePolicy=closed
DeviceAllow=char-video4linux rw
DeviceAllow=char-media rw
DeviceAllow=char-dma_heap rw
DeviceAllow=/dev/vcio rw
DeviceAllow=/dev/vchiq rw

[Install]
WantedBy=multi-user.target
"""


def add_service(commands: Any) -> None:  # noqa: ANN401 - argparse keeps its subparsers' type private
    """Add the command to edge-run's."""
    command = commands.add_parser(
        "service",
        help="print a systemd unit that runs watch or serve",
        description="Print a hardened systemd unit. It restarts what stands still or grows too large.",
        allow_abbrev=False,
    )
    command.add_argument("bundle", metavar="BUNDLE", help="folder that edge-export wrote")
    command.add_argument("--source", metavar="S", required=True, help="as for watch")
    command.add_argument("--serve", action="store_true", help="run serve, with its page, instead of watch")
    command.add_argument("--user", metavar="NAME", help="runs as (default: you; for root a user of its own)")
    command.add_argument("--memory-mb", type=positive_int, default=MEMORY_MB, help=f"at most (default: {MEMORY_MB})")
    command.add_argument(
        "--cpu-percent", type=positive_int, default=CPU_PERCENT, help=f"100 is one core (default: {CPU_PERCENT})"
    )
    command.add_argument(
        "--watchdog-s",
        type=positive_int,
        default=WATCHDOG_S,
        help=f"restarted when no fresh frame was decided for so long (default: {WATCHDOG_S})",
    )
    command.add_argument(
        "--options",
        metavar="TEXT",
        default="",
        help="further options of watch or serve in one word: --options='--mqtt broker --event-log events.db'",
    )
    command.set_defaults(run=_service)


def _service(args: argparse.Namespace) -> int:
    import getpass

    bundle = Path(args.bundle).resolve()
    if not bundle.is_dir():
        raise BundleError(f"{args.bundle}: no such bundle folder; edge-export writes one")
    subcommand, options = "serve" if args.serve else "watch", _words(args.options)
    if not _understood([subcommand, args.bundle, "--source", args.source, *options]):
        return USAGE
    print(
        unit(
            bundle,
            args.source,
            options,
            subcommand=subcommand,
            user=args.user or os.environ.get("SUDO_USER") or getpass.getuser(),
            memory_mb=args.memory_mb,
            cpu_percent=args.cpu_percent,
            watchdog_s=args.watchdog_s,
        ),
        end="",
    )
    return SUCCESS


def _words(text: str) -> list[str]:
    import shlex

    try:
        return shlex.split(text)
    except ValueError as problem:
        raise SourceError(f"--options {text!r}: {problem}") from None


def _understood(argv: Sequence[str]) -> bool:
    """Tell whether edge-run takes these words, or say why not: a unit that cannot start would be restarted for ever."""
    import argparse

    from edge_runtime.watch import add_watch
    from edge_runtime.web.command import add_serve

    parser = argparse.ArgumentParser(prog="edge-run", allow_abbrev=False)
    commands = parser.add_subparsers()
    (add_serve if argv[0] == "serve" else add_watch)(commands)
    try:
        parser.parse_args(argv)
    except SystemExit:
        return False
    return True


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
    """Give the unit's text; see the command's options. A root user gets an identity that exists only while it runs."""
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
    """Give the folders of the files that options name for writing; a relative one lies in the state folder."""
    files = [value for name, value in pairwise(options) if name in FILE_OPTIONS]
    files += [text.partition("=")[2] for text in options if text.startswith(tuple(f"{name}=" for name in FILE_OPTIONS))]
    return [str(Path(STATE_FOLDER, file).parent) for file in files]


def _quoted(word: str) -> str:
    """Quote one word for systemd, which knows neither $ nor % as plain characters."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$").replace("\n", "\\n")
    escaped = _literal(escaped)
    return f'"{escaped}"' if not word or set(word) & set(" \t\"'\\;#\n") else escaped


def _literal(text: str) -> str:
    return text.replace("%", "%%").replace("\n", " ")
