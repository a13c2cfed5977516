"""The states of a source, and what each of them means for everything that depends on it.

`docs/cameras.md` shows MEANINGS as a table; a test compares both and plays every state.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable

State: TypeAlias = Literal["fresh", "unchanged", "repeated", "stale", "ended"]


class Meaning(NamedTuple):
    """What a state means.

    Attributes:
        when: the condition.
        stream: what the live loop does.
        is_alive: whether systemd's watchdog is notified, and /healthz responds 200.
        camera: the state of the camera in MQTT.
        page: what the page shows.

    """

    when: str
    stream: str
    is_alive: bool
    camera: str
    page: str


MEANINGS: dict[State, Meaning] = {
    "fresh": Meaning(
        "a new and complete picture arrived within `--stall-timeout`",
        "the newest picture is classified when it is due",
        is_alive=True,
        camera="on",
        page="live",
    ),
    "unchanged": Meaning(
        "the same, but `--motion` found the scene unchanged",
        "the last result votes again, and is published again",
        is_alive=True,
        camera="on",
        page="live",
    ),
    "repeated": Meaning(
        "the camera sends the same picture again",
        "not classified; after `--stall-timeout` it is stale",
        is_alive=False,
        camera="on",
        page="live",
    ),
    "stale": Meaning(
        "no fresh picture for `--stall-timeout`, or none yet",
        "event `stalled` or `lost`; the camera is reopened until `--give-up`",
        is_alive=False,
        camera="off",
        page="no frames",
    ),
    "ended": Meaning(
        "the last frame of a file was classified",
        "`watch` exits; `serve` shows the last result",
        is_alive=False,
        camera="on",
        page="ended",
    ),
}


@runtime_checkable
class StateSink(Protocol):
    """A sink that is also informed of the source's state."""

    def state_changed(self, state: State) -> None:
        """Receive the state: at each change, and several times per second while it is a state of an alive source."""
        ...
