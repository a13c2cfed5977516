"""Addresses as they may be shown: in messages, JSON, logs, on the page and to other programs."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

HIDDEN = "***"
# In any address: the last @ ends the password, which may contain every character, also those that should be encoded.
LOGIN = re.compile(r"(?<=://)([^:]*):.*@", re.DOTALL)
# Parameters whose values are shown. All others are hidden, because each camera has its own name for the password.
SHOWN = frozenset(
    [
        "action",
        "camera",
        "ch",
        "channel",
        "cmd",
        "codec",
        "compression",
        "fps",
        "format",
        "framerate",
        "h",
        "height",
        "profile",
        "quality",
        "rate",
        "res",
        "resolution",
        "rotation",
        "size",
        "stream",
        "streamtype",
        "subtype",
        "type",
        "user",
        "username",
        "usr",
        "video",
        "w",
        "width",
    ]
)
PARAMETER = re.compile(r"(?P<name>[^=&;?#/]*)=(?P<value>[^&;#]*)")
# Some cameras have the password in the path: /user=admin_password=secret_channel=1_stream=0.sdp
IN_PATH = re.compile(r"((?:pass|pwd|pw|token|key|secret|auth)[a-z]*=)[^&;/?#]*", re.IGNORECASE)


def shown_address(address: str) -> str:
    """Return an address without its secrets: the password and all values of parameters that may be one.

    A text that is not an address, such as a path, is returned unchanged.
    """
    if "://" not in address:
        return address
    shown = LOGIN.sub(rf"\1:{HIDDEN}@", address)
    path, mark, query = shown.partition("?")
    return IN_PATH.sub(rf"\1{HIDDEN}", path) + mark + PARAMETER.sub(_hidden, query)


def has_secret(address: str) -> bool:
    """Return whether an address contains something that `shown_address` hides."""
    return shown_address(address) != address


def shown_receiver(address: str) -> str:
    """Return only the scheme, host and port of an address: the path of a webhook is often its password."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or HIDDEN, parts.port
    except ValueError:
        return f"{address.partition('://')[0]}://{HIDDEN}" if "://" in address else HIDDEN
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")


def _hidden(found: re.Match[str]) -> str:
    return found[0] if found["name"].lower() in SHOWN or not found["value"] else f"{found['name']}={HIDDEN}"
