"""Notify systemd that the service is ready and alive. Standard library only; without systemd nothing happens.

https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

BEATS = 4  # notifications in the time after which systemd would restart the service


def notify(state: str) -> bool:
    """Send one datagram, such as "READY=1"; return False if there is no supervisor.

    A supervisor that has ended is no error.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    import socket  # imported here, so that commands without systemd do not pay for it

    if address.startswith("@"):
        address = "\0" + address[1:]  # Linux's abstract namespace
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)  # a supervisor that does not read must not delay the camera
        sender.sendto(state.encode(), address)
        return True
    return False


def ready() -> None:
    """Notify systemd that the service has started."""
    notify("READY=1")


def stopping() -> None:
    """Notify systemd that the service ends, so that it waits for queued events instead of watching for frames."""
    notify("STOPPING=1")


def heartbeat(clock: Callable[[], float] = time.monotonic) -> Callable[[], None]:
    """Return a function that the live loop calls after each fresh decision.

    It notifies the watchdog several times per period.

    If the loop stalls, the notifications stop, and systemd restarts the service.
    """
    every_s = _watchdog_s() / BEATS
    if not every_s:
        return lambda: None
    last_s = float("-inf")

    def beat() -> None:
        """Notify the watchdog if the last notification is long enough ago."""
        nonlocal last_s
        now_s = clock()
        if now_s - last_s >= every_s:
            last_s = now_s
            notify("WATCHDOG=1")

    return beat


def _watchdog_s() -> float:
    """Return the watchdog's period in seconds, 0 if no watchdog watches this process."""
    period, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", str(os.getpid()))
    return int(period) / 1e6 if period.isdecimal() and pid == str(os.getpid()) else 0.0
