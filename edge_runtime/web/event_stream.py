"""Server-sent events: every event, and the state a few times per second."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response, StreamingResponse

from edge_runtime.system.device_state import temperature_c, throttling

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request

    from edge_runtime.web.hub import Numbered
    from edge_runtime.web.protection.access import Access
    from edge_runtime.web.site import Site

STATE_EVERY_S = 0.25
RETRY_MS = 1000  # pause before a browser reconnects to a lost event stream
DEVICE_EVERY_S = 5.0
MAX_VIEWERS = 16


async def event_stream(site: Site, access: Access, request: Request) -> Response:
    """Return the stream of events; it ends when the session ends."""
    if site.viewers >= MAX_VIEWERS:
        return JSONResponse(
            {"error": f"{MAX_VIEWERS} viewers are already connected; close one of them"}, 503, {"Retry-After": "10"}
        )
    has_session = access.has_session(request)

    def is_ended() -> bool:
        """Return whether the server stops, or the session that opened the stream has ended."""
        return site.is_stopping() or (has_session and not access.has_session(request))

    # nginx would otherwise collect the events and send them late
    headers = {"X-Accel-Buffering": "no"}
    return StreamingResponse(_messages(site, is_ended), media_type="text/event-stream", headers=headers)


async def _messages(site: Site, is_ended: Callable[[], bool]) -> AsyncIterator[str]:
    """Yield every event, and the state every STATE_EVERY_S seconds.

    A slow reader receives fewer states, because each state is computed when it is sent.
    """
    site.viewers += 1
    try:
        yield f"retry: {RETRY_MS}\n"
        greeted_with = None
        last_number = last_kept = 0
        while not is_ended():
            if site.classifier is not greeted_with:  # at first, and again after a switch to another model
                greeted_with, last_number, last_kept = site.classifier, 0, 0  # the page begins again
                yield _message("hello", _hello(site))
            for item in site.hub.events_after(last_number):
                last_number = item.number
                yield _message("event", event_json(item, restored=item.number <= site.hub.restored))
            for kept in site.keeper.kept_after(last_kept) if site.keeper else ():
                last_kept = kept.number
                yield _message("kept", {"frame": kept.frame, "name": kept.name})
            yield _message("state", await full_state(site))
            await asyncio.sleep(STATE_EVERY_S)
    finally:
        site.viewers -= 1


def _hello(site: Site) -> dict[str, Any]:
    return {
        "title": site.title,
        "labels": list(site.classifier.spec.labels),
        "artifact": site.classifier.artifact.name,
        "backend": site.classifier.backend.name,
        "roi": site.roi,
        "can_log_out": site.token is not None,
        "can_review": site.reviews is not None,
    }


def _message(event: str, data: object) -> str:
    return f"event: {event}\ndata: {json.dumps(data)}\n\n"


def event_json(item: Numbered, *, restored: bool) -> dict[str, Any]:
    """Return an event as the page reads it; `restored` states whether it is from before the start of the server."""
    picture = item.event.thumbnail is not None
    return {"number": item.number, **item.event.to_json(), "picture": picture, "restored": restored}


async def full_state(site: Site) -> dict[str, Any]:
    """Return the live loop's state and the device's."""
    now_s = asyncio.get_running_loop().time()
    if now_s - site.device_read_s > DEVICE_EVERY_S:
        site.device_read_s = now_s
        site.device = await asyncio.to_thread(_read_device)
    return {**site.hub.state().to_json(), **site.device, "drift": site.drift.snapshot if site.drift else None}


def _read_device() -> dict[str, Any]:
    throttled = throttling()
    return {"temperature_c": temperature_c(), "throttling": throttled and list(throttled.now)}
