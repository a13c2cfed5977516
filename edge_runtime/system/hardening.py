"""The lines that restrict what any of our systemd units may do, and how words are quoted in a unit."""

from __future__ import annotations

# A user that exists only while a unit of this name runs; units that share it can share the state folder.
OWN_USER = "edgewise"

HARDENING = """\
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
"""


def identity(user: str) -> str:
    """Return the line with the user of a unit; for root, systemd creates one that exists only at run time."""
    return f"DynamicUser=yes\nUser={OWN_USER}" if user == "root" else f"User={user}"


def quoted(word: str) -> str:
    """Quote one word for systemd, in which $ and % have a meaning."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$").replace("\n", "\\n")
    escaped = literal(escaped)
    return f'"{escaped}"' if not word or set(word) & set(" \t\"'\\;#\n") else escaped


def literal(text: str) -> str:
    """Return a text without specifiers and line breaks."""
    return text.replace("%", "%%").replace("\n", " ")
