"""The web application: the page, the upload, and the live results for other programs."""

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
from edge_runtime.web.access import COOKIE, COOKIE_S, cookie_for, is_same_secret
from edge_runtime.web.guard import Guard
from edge_runtime.web.openapi import openapi_document
from edge_runtime.web.uploads import MAX_FORM_BYTES, UploadError, check_pixels, read_body

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
RETRY_MS = 1000  # pause before a browser reconnects to a lost event stream
DEVICE_EVERY_S = 5.0
MAX_VIEWERS = 16
MAX_UPLOADS = 4  # one is classified while the others wait
STALE_S = 10.0


@dataclass
class Site:
    """The objects and counters that the request handlers share.

    Attributes:
        hub: the live loop's results.
        classifier: classifies uploads, in one thread at a time.
        token: token that requests must have; None if none is required.
        title: title of the page, such as the bundle's name.
        outboxes: outboxes of the sinks, for the metrics.
        is_stopping: returns True when the server stops, so that the event streams end.
        stale_s: seconds without a prediction after which /healthz responds 503.
        viewers: number of connected event streams.
        uploads: number of uploads in progress.
        upload_responses: number of responses to POST /classify by HTTP status.
        classifying: held while the classifier is in use.
        device: the last values read from the device, as JSON.
        device_read_s: time of that reading, on the event loop's clock.

    """

    hub: Hub
    classifier: Classifier
    token: str | None = None
    title: str = "Edgewise"
    outboxes: Sequence[Outbox[Event]] = ()
    is_stopping: Callable[[], bool] = lambda: False
    stale_s: float = STALE_S
    viewers: int = 0
    uploads: int = 0
    upload_responses: Counter[str] = field(default_factory=Counter)
    classifying: asyncio.Lock = field(default_factory=asyncio.Lock)
    device: dict[str, Any] = field(default_factory=dict)
    device_read_s: float = float("-inf")


def build_app(site: Site, *, loopback: bool = True) -> Starlette:
    """Build the application.

    Args:
        site: the objects that the request handlers share.
        loopback: whether the server can be reached only from this device.

    """
    static = {name: files("edge_runtime.web").joinpath("static", name).read_bytes() for name in STATIC}

    def with_site(handler: Callable[[Site, Request], Any]) -> Callable[[Request], Any]:
        return partial(handler, site)

    def static_file(name: str) -> Callable[[Request], Response]:
        return lambda _request: Response(static[name], media_type=STATIC[name])

    assets = [Route(f"/static/{name}", static_file(name)) for name in STATIC if not name.endswith(".html")]
    routes = [
        Route("/", static_file("page.html")),
        Route("/login", partial(_login, site, static["login.html"]), methods=["GET", "POST"]),
        *assets,
        Route("/picture.jpg", with_site(_picture)),
        Route("/events", with_site(_events)),
        Route("/events/{number:int}.jpg", with_site(_thumbnail)),
        Route("/state", with_site(_state)),
        Route("/classify", with_site(_classify), methods=["POST"]),
        Route("/healthz", with_site(_healthz)),
        Route("/metrics", with_site(_metrics)),
        Route("/openapi.json", with_site(_openapi)),
    ]
    return Starlette(routes=routes, middleware=[Middleware(Guard, token=site.token, loopback=loopback)])


async def _login(site: Site, page: bytes, request: Request) -> Response:
    """Exchange the token, from the form or from ?token=, for a cookie that scripts cannot read."""
    form = await read_body(request, max_bytes=MAX_FORM_BYTES) if request.method == "POST" else b""
    submitted = request.query_params.get("token") or parse_qs(form.decode("latin-1")).get("token", [""])[0]
    if site.token is None:
        return RedirectResponse("/", 303)
    if not is_same_secret(submitted.strip(), site.token):
        return Response(page, 401 if submitted else 200, media_type=STATIC["login.html"])
    response = RedirectResponse("/", 303)
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, cookie_for(site.token), COOKIE_S, httponly=True, samesite="strict", secure=secure)
    return response


async def _picture(site: Site, _request: Request) -> Response:
    picture = await asyncio.to_thread(site.hub.jpeg)
    if picture is None:
        return JSONResponse({"error": "no frame has been received yet"}, 404)
    return Response(picture[1], media_type="image/jpeg", headers={"X-Frame-Number": str(picture[0])})


async def _thumbnail(site: Site, request: Request) -> Response:
    thumbnail = site.hub.thumbnail(request.path_params["number"])
    if thumbnail is None:
        return JSONResponse({"error": "this event has no picture, or is no longer kept"}, 404)
    return Response(thumbnail, media_type="image/jpeg")


async def _state(site: Site, _request: Request) -> Response:
    return JSONResponse(await _full_state(site))


async def _events(site: Site, _request: Request) -> Response:
    if site.viewers >= MAX_VIEWERS:
        return JSONResponse(
            {"error": f"{MAX_VIEWERS} viewers are already connected; close one of them"}, 503, {"Retry-After": "10"}
        )
    return StreamingResponse(_event_stream(site), media_type="text/event-stream")


async def _event_stream(site: Site) -> AsyncIterator[str]:
    """Yield every event, and the state every STATE_EVERY_S seconds.

    A slow reader receives fewer states, because each state is computed when it is sent.
    """
    site.viewers += 1
    try:
        labels = list(site.classifier.spec.labels)
        model = {"artifact": site.classifier.artifact.name, "backend": site.classifier.backend.name}
        yield f"retry: {RETRY_MS}\n"
        yield _message("hello", {"title": site.title, "labels": labels, **model})
        last_number = 0
        while not site.is_stopping():
            for item in site.hub.events_after(last_number):
                last_number = item.number
                yield _message("event", _event_json(item))
            yield _message("state", await _full_state(site))
            await asyncio.sleep(STATE_EVERY_S)
    finally:
        site.viewers -= 1


def _message(event: str, data: object) -> str:
    return f"event: {event}\ndata: {json.dumps(data)}\n\n"


def _event_json(item: Numbered) -> dict[str, Any]:
    return {"number": item.number, **item.event.to_json(), "picture": item.event.thumbnail is not None}


async def _full_state(site: Site) -> dict[str, Any]:
    now_s = asyncio.get_running_loop().time()
    if now_s - site.device_read_s > DEVICE_EVERY_S:
        site.device_read_s = now_s
        site.device = await asyncio.to_thread(_read_device)
    return {**site.hub.state().to_json(), **site.device}


def _read_device() -> dict[str, Any]:
    throttled = throttling()
    return {"temperature_c": temperature_c(), "throttling": throttled and list(throttled.now)}


async def _classify(site: Site, request: Request) -> Response:
    response = await _classify_upload(site, request)
    site.upload_responses[str(response.status_code)] += 1
    return response


async def _classify_upload(site: Site, request: Request) -> Response:
    if site.uploads >= MAX_UPLOADS:
        return JSONResponse({"error": f"{MAX_UPLOADS} uploads are in progress; try again"}, 503, {"Retry-After": "2"})
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
    return await asyncio.to_thread(_metrics_response, site)


def _metrics_response(site: Site) -> Response:
    # Imported here, so that a server that Prometheus does not scrape does not load its library.
    from edge_runtime.web.metrics import CONTENT_TYPE, render_metrics

    text = render_metrics(site.hub, site.outboxes, dict(site.upload_responses))
    return Response(text, headers={"Content-Type": CONTENT_TYPE})


async def _openapi(site: Site, _request: Request) -> Response:
    return JSONResponse(openapi_document(version("edgewise"), token=site.token is not None))
