"""A limit on tokens that are tried: after a few wrong ones, an address has to wait before its next one is checked."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

BURST = 10  # wrong tokens without a pause
PAUSE_S = 1.0  # between later ones
MAX_WAIT_S = 5.0
MAX_WAITING = 16
KNOWN_S = 3600.0
MAX_ADDRESSES = 1000


class Attempts:
    """Tokens that are tried, by address, as a leaky bucket.

    For each address it stores only the time at which its bucket is empty again. The addresses of an IPv6 network of 64
    bits, which one client may have all of, count as one.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._empty_s: dict[str, float] = {}
        self._known_s: dict[str, float] = {}
        self._waiting = 0

    async def check(self, address: str, is_right: Callable[[], bool], *, known_first: bool) -> bool | None:
        """Check a token when its address may try one.

        The wait comes before the check, for right tokens as well: otherwise the time of the response would show which
        token is right before the wait is over.

        Args:
            address: the address that the token came from.
            is_right: compares the token.
            known_first: whether a right token from an address that sent the right one within the last hour is accepted
                at once, so that other clients behind the same router cannot delay its requests.

        Returns:
            True if the token is right, False if it is wrong, None if it was not checked: the address tries too many.

        """
        network = _network(address)
        if known_first and self._is_known(network) and is_right():
            return True
        wait_s = self._reserve(network)
        if wait_s is None:
            return None
        self._waiting += 1
        try:
            if wait_s:
                await asyncio.sleep(wait_s)
        finally:
            self._waiting -= 1
        if not is_right():
            return False
        self._empty_s[network] = self._empty_s.get(network, self._clock()) - PAUSE_S
        _store(self._known_s, network, self._clock())
        return True

    def _is_known(self, network: str) -> bool:
        return self._clock() - self._known_s.get(network, float("-inf")) < KNOWN_S

    def _reserve(self, network: str) -> float | None:
        """Count a try, and return the seconds until it may be checked; None if that is too long."""
        now_s = self._clock()
        empty_s = max(self._empty_s.get(network, now_s), now_s)
        wait_s = max(0.0, empty_s - now_s - (BURST - 1) * PAUSE_S)
        if wait_s > MAX_WAIT_S or (wait_s and self._waiting >= MAX_WAITING):
            return None
        _store(self._empty_s, network, empty_s + PAUSE_S)
        return wait_s


def _store(times_s: dict[str, float], network: str, at_s: float) -> None:
    """Store a time; if the table is full, remove the oldest one."""
    if network not in times_s and len(times_s) >= MAX_ADDRESSES:
        del times_s[min(times_s, key=times_s.__getitem__)]
    times_s[network] = at_s


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))
