"""A limit on wrong tokens: after a few, an address must wait before it may try again."""

from __future__ import annotations

import ipaddress
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

BURST = 10  # wrong tokens without a pause
PAUSE_S = 2.0  # between later ones
KNOWN_S = 3600.0
MAX_ADDRESSES = 1000


class Attempts:
    """Wrong tokens by address, as a leaky bucket.

    For each address it stores only the time at which its bucket is empty again. The addresses of an IPv6 network of 64
    bits, which one client may have all of, count as one.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._empty_s: dict[str, float] = {}
        self._known_s: dict[str, float] = {}

    def wait_s(self, address: str) -> float:
        """Return the seconds until an address may try again; 0 if it may now."""
        excess_s = self._empty_s.get(_network(address), 0.0) - self._clock() - (BURST - 1) * PAUSE_S
        return max(0.0, excess_s)

    def is_known(self, address: str) -> bool:
        """Return whether the right token came from an address within the last hour.

        Such an address is not refused because of another client's wrong tokens, for example behind the same router.
        """
        return self._clock() - self._known_s.get(_network(address), float("-inf")) < KNOWN_S

    def failed(self, address: str) -> None:
        """Count a wrong token."""
        network, now_s = _network(address), self._clock()
        if network not in self._empty_s:
            _make_room(self._empty_s)
        self._empty_s[network] = min(max(self._empty_s.get(network, now_s), now_s), now_s + BURST * PAUSE_S) + PAUSE_S

    def succeeded(self, address: str) -> None:
        """Remember that the right token came from an address."""
        network = _network(address)
        if network not in self._known_s:
            _make_room(self._known_s)
        self._known_s[network] = self._clock()


def _make_room(times_s: dict[str, float]) -> None:
    """Remove the address with the oldest time if the table is full."""
    if len(times_s) >= MAX_ADDRESSES:
        del times_s[min(times_s, key=times_s.__getitem__)]


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    return str(parsed.ipv4_mapped or ipaddress.ip_network((parsed, 64), strict=False))
