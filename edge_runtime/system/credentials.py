"""Passwords and tokens come from files, from systemd's credentials, or from the environment; never from options.

Every user of a device can read the options of all processes with `ps`.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from edge_runtime.errors import SourceError

CREDENTIALS = "CREDENTIALS_DIRECTORY"  # systemd's variable, for a unit with LoadCredential=
FILE_SIGN = "@"
MAX_BYTES = 4096


def credential(variable: str, file: Path | None = None) -> str | None:
    """Return a secret from a file, from systemd's credential of the variable's name, or from the environment.

    Args:
        variable: the environment variable, such as EDGE_RUN_TOKEN.
        file: the file that an option names, or None.

    Raises:
        SourceError: the file cannot be read.

    """
    if file is not None:
        return read_secret(file)
    provided = Path(os.environ.get(CREDENTIALS, ""), variable)
    if provided.is_absolute() and provided.is_file():
        return read_secret(provided)
    return os.environ.get(variable) or None


def read_secret(file: Path) -> str:
    """Return the first line of a file, and warn if every user can read the file. Raise SourceError."""
    try:
        with file.open(encoding="utf-8") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            lines = opened.read(MAX_BYTES).split("\n")
    except UnicodeDecodeError:
        raise SourceError(f"{file}: not a text file; write the secret into its first line") from None
    except OSError as problem:
        raise SourceError(f"{file}: the secret cannot be read: {problem.strerror}") from None
    if not lines[0].strip():
        raise SourceError(f"{file}: empty; write the secret into its first line")
    if mode & stat.S_IROTH and stat.S_ISREG(mode):
        print(
            f"edge-run: warning: every user can read the secret in {file}; run: chmod 600 {file}",
            file=sys.stderr,
            flush=True,
        )
    return lines[0].strip()


def address_from(text: str) -> str:
    """Return an address, or for `@FILE` the address in the first line of a file. Raise SourceError."""
    return read_secret(Path(text[1:])) if text.startswith(FILE_SIGN) and len(text) > 1 else text
