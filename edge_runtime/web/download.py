"""The events as a table that a spreadsheet opens."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from edge_runtime.errors import EdgeError, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request

    from edge_runtime.live.records import Event
    from edge_runtime.web.site import Site

COLUMNS = ("time", "event", "label", "score", "duration_s", "source", "frame", "detail", "familiarity")
MAX_ROWS = 10_000
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


async def events_csv(site: Site, _request: Request) -> Response:
    """Return the events of the log, or without one those that are kept in memory, newest last."""
    try:
        events = await asyncio.to_thread(_events, site)
    except EdgeError as problem:
        return JSONResponse({"error": one_line(problem)}, 500)
    headers = {"Content-Disposition": 'attachment; filename="events.csv"'}
    return Response(_table(events), media_type="text/csv; charset=utf-8", headers=headers)


def _events(site: Site) -> list[Event]:
    from edge_runtime.live.sinks.eventlog import read_events

    if site.event_log is None:
        return [item.event for item in site.hub.events_after(0)]
    return read_events(site.event_log, newest=MAX_ROWS, pictures=False)


def _table(events: Iterable[Event]) -> str:
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(COLUMNS)
    for event in events:
        numbers = (round(event.score, 6), round(event.duration_s, 3))
        familiarity = "" if event.familiarity is None else round(event.familiarity, 6)
        words = (_cell(event.source), event.frame, _cell(event.detail), familiarity)
        rows.writerow((_time(event.at), event.kind, _cell(event.label), *numbers, *words))
    return text.getvalue()


def _time(at: float) -> str:
    try:
        return datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):  # a year after 9999
        return str(at)


def _cell(text: str) -> str:
    """Return a text that a spreadsheet does not run as a formula."""
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text
