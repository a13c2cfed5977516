"""Confine this process before it opens a file of unknown origin."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from export.isolation.landlock import only_write_in

if TYPE_CHECKING:
    from collections.abc import Sequence

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
# TensorFlow reserves address space that it never uses, so the limit is on data (RLIMIT_DATA), not on addresses.
LEAST_MEMORY_BYTES, MEMORY_SHARE = 4 << 30, 0.75
NO_LANDLOCK, NO_NAMESPACE = "it can write files (no Landlock)", "it can use the network (no network namespace)"


def confine(writable: Sequence[Path]) -> tuple[str, ...]:
    """Take rights from this process and its children: call it first, while the process has only one thread.

    It can then write only in the given folders, execute no program, reach no network, see no GPU, and allocate at most
    three quarters of the machine's memory (at least 4 GiB). It is killed when its parent process ends. It can still
    read what its user can read. Temporary files are created in the first folder.

    Args:
        writable: folders in which it may write.

    Returns:
        The protections that this kernel does not provide; empty if none is missing.

    """
    folders = [folder.resolve() for folder in writable]
    os.environ["TMPDIR"] = tempfile.tempdir = str(folders[0])
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # a GPU is a file that would have to be written
    if sys.platform != "linux":
        return NO_LANDLOCK, NO_NAMESPACE
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    _limit_memory()
    offline = _leave_the_network()
    confined = only_write_in(folders)
    return (*(() if confined else (NO_LANDLOCK,)), *(() if offline else (NO_NAMESPACE,)))


def memory_limit_bytes() -> int:
    """Return the limit of a confined process's data, in bytes."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(LEAST_MEMORY_BYTES, int(physical * MEMORY_SHARE))


def _limit_memory() -> None:
    for kind, wanted in ((resource.RLIMIT_DATA, memory_limit_bytes()), (resource.RLIMIT_CORE, 0)):
        _, hard = resource.getrlimit(kind)
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(kind, (limit, limit))


def _leave_the_network() -> bool:
    """Enter a network namespace without interfaces; an unprivileged user needs a user namespace for it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) == 0:
        return True
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
        return False
    # Otherwise the process would own its files under the name of another user.
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        Path("/proc/self", name).write_text(text, encoding="ascii")
    return True
