"""The web application: a page, an upload, and the live results for programs."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from edge_runtime.errors import EdgeError, one_line
from edge_runtime.system.device_state import temperature_c, throttling
from edge_runtime.web.access import COOKIE, COOKIE_S, cookie_of, same
from edge_runtime.web.guard import Guard
from edge_runtime.web.metrics import CONTENT_TYPE, metrics
from edge_runtime.web.openapi import openapi
from edge_runtime.web.uploads import TEXT_BYTES, UploadError, check_pixels, read_body

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from starlette.requests import Request

    from edge_runtime.classify.classifier import Classifier
    from edge_runtime.live.records import Event
    from edge_runtime.live.sinks.outbox import Outbox
    from edge_runtime.web.hub import Hub, Numbered

STATIC = {
    "page.html": "text/html; charset=utf-8",
    "login.html": "text/html; charset=utf-8",
    "style.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
STATE_EVERY_S = 0.25
RETRY_MS = 1000  # after which a browser that lost the stream reconnects
DEVICE_EVERY_S = 5.0
MOST_VIEWERS = 16
MOST_UPLOADS = 4  # one is classified, the others wait
STALE_S = 10.0


@dataclass
class Site:
    """The objects that the handlers share.

    Attributes:
        hub: the live loop's results.
        classifier: for uploads; used by one thread at a time.
        token: required from everyone, or None.
        title: title of the page, such as the bundle's name.
        outboxes: of the sinks, for the metrics.
        stopping: set when the server ends, to end the endless responses.
        stale_s: seconds without a decision after which the health is bad.

    """

    hub: Hub
    classifier: Classifier
    token: str | None = None
    title: str = "Edgewise"
    outboxes: Sequence[Outbox[Event]] = ()
    stopping: Callable[[], bool] = lambda: False
    stale_s: float = STALE_S
    viewers: int = 0
    uploads: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    classifying: asyncio.Lock = field(default_factory=asyncio.Lock)
    device: dict[str, Any] = field(default_factory=dict)
    device_read_s: float = float("-inf")


def build_app(site: Site, *, loopback: bool = True) -> Starlette:
    """Build the application; `loopback` says whether it serves only this device."""
    static = {name: files("edge_runtime.web").joinpath("static", name).read_bytes() for name in STATIC}

    def of(handler: Callable[[Site, Request], Any]) -> Callable[[Request], Any]:
        return partial(handler, site)

    def file(name: str) -> Callable[[Request], Response]:
        return lambda _request: Response(static[name], media_type=STATIC[name])

    assets = [Route(f"/static/{name}", file(name)) for name in STATIC if not name.endswith(".html")]
    routes = [
        Route("/", file("page.html")),
        Route("/login", partial(_login, site, static["login.html"]), methods=["GET", "POST"]),
        *assets,
        Route("/picture.jpg", of(_picture)),
        Route("/events", of(_events)),
        Route("/events/{number:int}.jpg", of(_thumbnail)),
        Route("/state", of(_state)),
        Route("/classify", of(_classify), methods=["POST"]),
        Route("/healthz", of(_healthz)),
        Route("/metrics", of(_metrics)),
        Route("/openapi.json", of(_openapi)),
    ]
    return Starlette(routes=routes, middleware=[Middleware(Guard, token=site.token, loopback=loopback)])


async def _login(site: Site, page: bytes, request: Request) -> Response:
    """Exchange the token, from the form or once from ?token=, for a cookie that scripts cannot read."""
    form = await read_body(request, most_bytes=TEXT_BYTES) if request.method == "POST" else b""
    given = request.query_params.get("token") or parse_qs(form.decode("latin-1")).get("token", [""])[0]
    if site.token is None:
        return RedirectResponse("/", 303)
    if not same(given.strip(), site.token):
        return Response(page, 401 if given else 200, media_type=STATIC["login.html"])
    answer = RedirectResponse("/", 303)
    secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, cookie_of(site.token), COOKIE_S, httponly=True, samesite="strict", secure=secure)
    return answer


async def _picture(site: Site, _request: Request) -> Response:
    picture = await asyncio.to_thread(site.hub.jpeg)
    if picture is None:
        return JSONResponse({"error": "no frame yet"}, 404)
    return Response(picture[1], media_type="image/jpeg", headers={"X-Frame-Number": str(picture[0])})


async def _thumbnail(site: Site, request: Request) -> Response:
    thumbnail = site.hub.thumbnail(request.path_params["number"])
    if thumbnail is None:
        return JSONResponse({"error": "no such picture"}, 404)
    return Response(thumbnail, media_type="image/jpeg")


async def _state(site: Site, _request: Request) -> Response:
    return JSONResponse(await _full_state(site))


async def _events(site: Site, _request: Request) -> Response:
    if site.viewers >= MOST_VIEWERS:
        return JSONResponse({"error": f"{MOST_VIEWERS} viewers are connected already"}, 503, {"Retry-After": "10"})
    return StreamingResponse(_live(site), media_type="text/event-stream")


async def _live(site: Site) -> AsyncIterator[str]:
    """Send the state a few times per second, and every event; a slow reader gets fewer states, but no old ones."""
    site.viewers += 1
    try:
        labels = list(site.classifier.spec.labels)
        model = {"artifact": site.classifier.artifact.name, "backend": site.classifier.backend.name}
        yield f"retry: {RETRY_MS}\n"
        yield _sent("hello", {"title": site.title, "labels": labels, **model})
        told = 0
        while not site.stopping():
            for item in site.hub.events_after(told):
                told = item.number
                yield _sent("event", _event_json(item))
            yield _sent("state", await _full_state(site))
            await asyncio.sleep(STATE_EVERY_S)
    finally:
        site.viewers -= 1


def _sent(kind: str, data: object) -> str:
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n"


def _event_json(item: Numbered) -> dict[str, Any]:
    return {"number": item.number, **item.event.to_json(), "picture": item.event.thumbnail is not None}


async def _full_state(site: Site) -> dict[str, Any]:
    now_s = asyncio.get_running_loop().time()
    if now_s - site.device_read_s > DEVICE_EVERY_S:
        site.device_read_s = now_s
        site.device = await asyncio.to_thread(_device)
    return {**site.hub.state(), **site.device}


def _device() -> dict[str, Any]:
    held_back = throttling()
    return {"temperature_c": temperature_c(), "throttling": held_back and list(held_back.now)}


async def _classify(site: Site, request: Request) -> Response:
    answer = await _classified(site, request)
    site.answers[str(answer.status_code)] += 1
    return answer


async def _classified(site: Site, request: Request) -> Response:
    if site.uploads >= MOST_UPLOADS:
        return JSONResponse({"error": "busy; try again"}, 503, {"Retry-After": "2"})
    site.uploads += 1
    try:
        content = await read_body(request)
        async with site.classifying:
            return JSONResponse(await asyncio.to_thread(_predict, site.classifier, content))
    except UploadError as problem:
        return JSONResponse({"error": one_line(problem)}, problem.status)
    except EdgeError as problem:
        return JSONResponse({"error": one_line(problem)}, 422)
    finally:
        site.uploads -= 1


def _predict(classifier: Classifier, content: bytes) -> dict[str, Any]:
    check_pixels(content)
    return classifier.classify(content, top_k=5).to_json()


async def _healthz(site: Site, _request: Request) -> Response:
    fresh = site.hub.fresh_s() <= site.stale_s
    return JSONResponse({"status": "ok" if fresh else "stale"}, 200 if fresh else 503)


async def _metrics(site: Site, _request: Request) -> Response:
    text = await asyncio.to_thread(metrics, site.hub, site.outboxes, dict(site.answers))
    return Response(text, headers={"Content-Type": CONTENT_TYPE})


async def _openapi(site: Site, _request: Request) -> Response:
    return JSONResponse(openapi(version("edgewise"), token=site.token is not None))
