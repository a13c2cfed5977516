"""Forbid this process to change files, except in given folders, with Landlock (Linux 5.13 and later).

The numbers are those of linux/landlock.h; see landlock(7). The standard library has no interface to it.
"""

from __future__ import annotations

import ctypes
import os
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same on every architecture
VERSION_ONLY, BENEATH_PATH = 1, 1
PR_SET_NO_NEW_PRIVS = 38
EXECUTE, WRITE_FILE = 1 << 0, 1 << 1
# Remove, create, ...: all rights from "remove a folder" (1 << 4) to "make a symbolic link" (1 << 12).
CHANGE_FOLDER = sum(1 << bit for bit in range(4, 13))
# Rights by the version of the interface that introduced them.
RENAME_ACROSS, TRUNCATE = (2, 1 << 13), (3, 1 << 14)
TCP_VERSION, TCP_BIND_AND_CONNECT = 4, 0b11
SCOPE_VERSION, SCOPE_SOCKETS_AND_SIGNALS = 6, 0b11


def only_write_in(folders: Sequence[Path]) -> bool:
    """Allow this process and its children to write in these folders and nowhere else, and to execute no program.

    Where the kernel supports it, TCP connections, abstract UNIX sockets and signals to other processes are forbidden,
    too. Files that are already open are not affected.

    Returns:
        Whether the kernel enforces it.

    """
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), VERSION_ONLY)
    if version < 1:
        return False
    writing = WRITE_FILE | CHANGE_FOLDER | sum(bit for since, bit in (RENAME_ACROSS, TRUNCATE) if version >= since)
    attributes = struct.pack("=Q", writing | EXECUTE)
    if version >= TCP_VERSION:
        attributes += struct.pack("=Q", TCP_BIND_AND_CONNECT)
    if version >= SCOPE_VERSION:
        attributes += struct.pack("=Q", SCOPE_SOCKETS_AND_SIGNALS)
    ruleset = libc.syscall(CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    if ruleset < 0:
        return False
    try:
        allowed = [_allow(libc, ruleset, str(folder), writing) for folder in folders]
        on_file = WRITE_FILE | (TRUNCATE[1] if version >= TRUNCATE[0] else 0)
        allowed.append(_allow(libc, ruleset, os.devnull, on_file))
        private = libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
        return all(allowed) and private and libc.syscall(RESTRICT_SELF, ruleset, 0) == 0
    finally:
        os.close(ruleset)


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> bool:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = struct.pack("=Qi", rights, place)  # packed, as the kernel declares it
        return bool(libc.syscall(ADD_RULE, ruleset, BENEATH_PATH, rule, 0) == 0)
    finally:
        os.close(place)
