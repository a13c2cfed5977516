"""The devices of a fleet as text and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_runtime.fleet.attention import Need
    from edge_runtime.fleet.collect import Device

    Rows = Sequence[tuple[Device, list[Need]]]

HEADINGS = ("device", "tags", "model", "state", "frames/s", "ms", "temperature", "free", "needs a person")
UNKNOWN = "-"


def cells(device: Device, needed: Sequence[Need]) -> tuple[str, ...]:
    """Return the text of a device's row, in the order of HEADINGS."""
    report, facts = device.report, device.report.facts
    return (
        report.node,
        " ".join(facts.tags),
        f"{facts.channel} {facts.version}" if facts.channel else facts.bundle,
        facts.state or UNKNOWN,
        _number(report.fps, "{:.1f}"),
        _number(report.inference_ms, "{:.1f}"),
        _number(facts.temperature_c, "{:.0f} °C"),
        _number(facts.free_bytes and facts.free_bytes / 1e9, "{:.1f} GB"),
        "; ".join(need.text for need in needed),
    )


def to_text(rows: Rows) -> str:
    """Return a table with a line for each device."""
    lines = [HEADINGS, *(cells(*row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def to_json(device: Device, needed: Sequence[Need]) -> dict[str, Any]:
    """Return a device as a JSON object."""
    report = {name: value for name, value in device.report.to_json().items() if name != "format"}
    needs = [need._asdict() for need in needed]
    return {"topic": device.topic, "online": device.online, **report, "needs": needs}


def _number(value: float | None, form: str) -> str:
    return UNKNOWN if value is None else form.format(value)
