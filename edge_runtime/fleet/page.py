"""The devices of a fleet as one HTML file that needs no server: search and sorting work in the browser."""

from __future__ import annotations

from datetime import datetime
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from edge_runtime.fleet.attention import SOON, URGENT
from edge_runtime.fleet.table import HEADINGS, cells

if TYPE_CHECKING:
    from edge_runtime.fleet.attention import Need
    from edge_runtime.fleet.collect import Device
    from edge_runtime.fleet.table import Rows

STATIC = Path(__file__).parent / "static"
STYLE = Path(__file__).parents[1] / "web" / "static" / "report.css"
NUMERIC = frozenset({"frames/s", "ms", "temperature", "free"})
ORDER = (0, len(HEADINGS) - 1, *range(1, len(HEADINGS) - 1))  # on a phone, only the first columns are visible
URGENCY = {URGENT: "urgent", SOON: "soon"}  # CSS classes


def fleet_page(rows: Rows, now: float) -> str:
    """Return the page.

    Args:
        rows: the devices, those that need a person most first, with what they need.
        now: seconds since the epoch.

    """
    needing = sum(bool(needed) for _, needed in rows)
    offline = sum(device.online is False for device, _ in rows)
    headings = "".join(
        f'<th scope="col"{_number_class(name)} aria-sort="none"><button type="button">{escape(name)}</button></th>'
        for name in (HEADINGS[column] for column in ORDER)
    )
    template = Template((STATIC / "fleet.html").read_text(encoding="utf-8"))
    return template.substitute(
        style=STYLE.read_text(encoding="utf-8") + (STATIC / "fleet.css").read_text(encoding="utf-8"),
        script=(STATIC / "fleet.js").read_text(encoding="utf-8"),
        title=f"{len(rows):,} device{'s' if len(rows) != 1 else ''}",
        summary=f"{needing} need a person, {offline} offline.",
        made=datetime.fromtimestamp(now).astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        headings=headings,
        rows="\n".join(map(_row, rows)),
    )


def _row(row: tuple[Device, list[Need]]) -> str:
    device, needed = row
    texts = cells(device, needed)
    urgency = max((need.urgency for need in needed), default=0)
    parts = "".join(f"<td{_number_class(HEADINGS[column])}>{escape(texts[column])}</td>" for column in ORDER)
    return f'<tr class="{URGENCY.get(urgency, "")}">{parts}</tr>'


def _number_class(name: str) -> str:
    return ' class="number"' if name in NUMERIC else ""
