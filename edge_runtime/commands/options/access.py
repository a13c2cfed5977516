"""The options of a server: its address, and who may use it."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.errors import BackendUnavailable
from edge_runtime.system.credentials import credential

if TYPE_CHECKING:
    from edge_runtime.web.protection.access import PublicUrl

TOKEN_VARIABLE = "EDGE_RUN_TOKEN"  # noqa: S105 - the name of the variable, no secret
PORT = 8080
MAX_PORT = 65_535


@dataclass(frozen=True)
class AccessOptions:
    """The address of a server, and who may use it, as the help describes it."""

    host: str
    port: int
    token_file: Path | None
    public_url: str | None

    def token(self) -> str | None:
        """Return the token that requests must have. Raise AccessError if it is missing or too weak."""
        from edge_runtime.web.protection.access import check_token

        token = credential(TOKEN_VARIABLE, self.token_file)
        check_token(self.host, token, self.public_url)
        return token

    def parsed_public_url(self) -> PublicUrl | None:
        """Return the address of the proxy; None if there is none. Raise AccessError."""
        from edge_runtime.web.protection.access import parse_public_url

        return parse_public_url(self.public_url) if self.public_url else None


def add_access_options(command: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add the options of AccessOptions; return their group."""
    group = command.add_argument_group("access")
    group.add_argument(
        "--host",
        default="127.0.0.1",
        help=f"address to bind to; {TOKEN_VARIABLE} must be set for any other than loopback (127.0.0.1)",
    )
    group.add_argument("--port", type=_port, default=PORT, help=f"default: {PORT}")
    group.add_argument(
        "--token-file", type=Path, metavar="FILE", help=f"read the token from this file instead of {TOKEN_VARIABLE}"
    )
    group.add_argument(
        "--public-url",
        metavar="URL",
        help="address of the HTTPS proxy in front of the server, such as https://camera.example.org; needs a token",
    )
    return group


def require_server(command: str, *modules: str) -> None:
    """Raise BackendUnavailable if a library of the server is missing, before anything is opened."""
    for module in ("starlette", "uvicorn", *modules):
        if find_spec(module) is None:
            raise BackendUnavailable(f"{command} needs {module}; install it with: pip install 'edgewise[serve]'")


def report_address(address: str) -> None:
    """Print the address at which a server accepts connections."""
    print(f"edge-run: serving on {address}", file=sys.stderr, flush=True)


def _port(text: str) -> int:
    value = int(text) if text.isascii() and text.isdecimal() else -1
    if not 0 <= value <= MAX_PORT:
        raise argparse.ArgumentTypeError(f"must be a port from 0 (any free port) to {MAX_PORT}, not {text!r}")
    return value
