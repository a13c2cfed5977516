"""What needs a person at a device, and which device first."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edge_runtime.fleet.collect import Device

SILENT_S = 300.0  # a device reports every minute
HOT_C = 80.0  # a Raspberry Pi slows down from here on
LEAST_FREE_BYTES = 300_000_000  # an update needs space for a second model
URGENT, SOON, NOTE = 3, 2, 1


class Need(NamedTuple):
    """Something to look at.

    Attributes:
        urgency: URGENT: the device does not do its work; SOON: it will not for long, or not well; NOTE.
        text: what, for people.

    """

    urgency: int
    text: str


def newest_versions(devices: Iterable[Device]) -> dict[str, int]:
    """Return the newest version of each channel that any device runs."""
    found: dict[str, int] = {}
    for device in devices:
        channel, version = device.report.facts.channel, device.report.facts.version
        if channel is not None and version is not None:
            found[channel] = max(version, found.get(channel, 0))
    return found


def needs(device: Device, newest: Mapping[str, int], now: float) -> list[Need]:
    """Return what needs a person at a device, the most urgent first.

    Args:
        device: the device.
        newest: the newest version of each channel.
        now: seconds since the epoch.

    """
    report, facts = device.report, device.report.facts
    age_s = now - report.at
    found = []
    if device.online is False:
        found.append(Need(URGENT, f"offline, last report {_ago(age_s)}"))
    elif report.camera and age_s > SILENT_S:  # without frames, a device does not report
        found.append(Need(URGENT, f"silent, last report {_ago(age_s)}"))
    if not report.camera:
        found.append(Need(URGENT, "the camera sends no frames"))
    if facts.state in {"taken back", "refused"}:
        found.append(Need(SOON, f"{facts.state}: {facts.detail}"))
    found += [Need(SOON, f"drift: {words}") for words in report.drift]
    if facts.temperature_c is not None and facts.temperature_c >= HOT_C:
        found.append(Need(SOON, f"hot: {facts.temperature_c:.0f} °C"))
    if facts.free_bytes is not None and facts.free_bytes < LEAST_FREE_BYTES:
        found.append(Need(SOON, f"disk nearly full: {facts.free_bytes / 1e6:.0f} MB free"))
    if facts.channel is not None and (facts.version or 0) < newest.get(facts.channel, 0):
        found.append(Need(NOTE, f"older than {facts.channel} {newest[facts.channel]}"))
    return sorted(found, key=lambda need: -need.urgency)


def by_urgency(devices: Iterable[Device], now: float) -> list[tuple[Device, list[Need]]]:
    """Return the devices with what they need: those that need a person most come first."""
    known = list(devices)
    newest = newest_versions(known)
    rows = [(device, needs(device, newest, now)) for device in known]
    return sorted(rows, key=lambda row: (*(-need.urgency for need in row[1]), 0, row[0].report.node))


def _ago(seconds: float) -> str:
    for unit, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name} ago"
    return f"{max(seconds, 0):.0f} s ago"
