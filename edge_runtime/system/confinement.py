"""The lines of a systemd unit that depend on what the service needs: home folders and network addresses."""

from __future__ import annotations

import ipaddress
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HOMES = (Path("/home"), Path("/root"), Path("/run/user"))
NETWORK_OPTIONS = ("--mqtt", "--webhook")


def home_lines(words: Iterable[str], written: Iterable[str]) -> list[str]:
    """Return the lines that hide the home folders, except for what the service reads and writes.

    Args:
        words: the bundle, the source and the options; those that are paths in a home folder stay readable.
        written: folders that the service writes into.

    """
    python = (sys.prefix, sys.base_prefix, str(Path(__file__).parents[2]))
    read = _in_homes((*python, *(word for word in words if Path(word).is_absolute() and Path(word).exists())))
    write = _in_homes(written)
    if not read and not write:
        return ["ProtectHome=yes"]
    read = [path for path in read if not any(parent in (*read, *write) for parent in path.parents)]
    binds = [f"BindReadOnlyPaths={_escaped(path)}" for path in read]
    return ["ProtectHome=tmpfs", *binds, *(f"BindPaths={_escaped(path)}" for path in write)]


def address_lines(subcommand: str, source: str, options: Sequence[str]) -> list[str]:
    """Return the lines that limit the network to the addresses that the service needs.

    A host name can have any address, the clients of a server and a command for events can be anywhere: then there is
    no limit.
    """
    values = dict(pairwise(options))
    needed = [source] if "://" in source else []
    needed += [values[name] for name in NETWORK_OPTIONS if name in values]
    hosts = [_ip_address(address) for address in needed]
    listens = subcommand == "serve" and _ip_address(values.get("--host", "127.0.0.1")) not in {"127.0.0.1", "::1"}
    if None in hosts or listens or "--on-event" in values or source.startswith("@"):
        return []
    allowed = " ".join(dict.fromkeys(["localhost", *(host for host in hosts if host)]))
    return ["IPAddressDeny=any", f"IPAddressAllow={allowed}"]


def _ip_address(address: str) -> str | None:
    """Return the IP address in HOST, HOST:PORT or a URL; None if it contains a host name."""
    try:
        host = urlsplit(address if "://" in address else f"//{address}").hostname or ""
        return str(ipaddress.ip_address("127.0.0.1" if host == "localhost" else host))
    except ValueError:
        return None


def _in_homes(paths: Iterable[str]) -> list[Path]:
    absolute = dict.fromkeys(Path(path).resolve() for path in paths)
    return [path for path in absolute if any(home in path.parents for home in HOMES)]


def _escaped(path: Path) -> str:
    """Return a path for BindPaths=, in which colons and spaces separate."""
    text = str(path).replace("\\", "\\\\").replace("%", "%%").replace(":", "\\:")
    return '"' + text.replace('"', '\\"') + '"' if " " in text or '"' in text else text
