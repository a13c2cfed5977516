"""The web application: the page, the upload, and the live results for other programs."""

from __future__ import annotations

import asyncio
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edge_runtime.errors import EdgeError, InferenceError, one_line
from edge_runtime.image.limits import STREAM, LimitError
from edge_runtime.web.download import events_csv
from edge_runtime.web.event_stream import event_stream, full_state
from edge_runtime.web.labelling.download_routes import DownloadRoutes
from edge_runtime.web.labelling.review_routes import ReviewRoutes
from edge_runtime.web.openapi import openapi_document
from edge_runtime.web.protection.access import Access
from edge_runtime.web.protection.guard import Guard
from edge_runtime.web.protection.login import log_in, log_out
from edge_runtime.web.protection.uploads import UploadError, check_pixels, read_body
from edge_runtime.web.static_files import LABELLING, static_file, static_routes

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from edge_runtime.classify.classifier import Classifier
    from edge_runtime.web.site import Site

ASSETS = ("style.css", "page.js", "elements.js", "live_picture.js", "events.js", "drift.js", "wrong.js", "icon.svg")
LABELLING_ASSETS = ("labelling.css", "labelling.js", "review.js")
MAX_UPLOADS = 4  # one is classified while the others wait
MAX_DIGITS = 15  # of an event's number


def build_app(site: Site, *, loopback: bool = True) -> ASGIApp:
    """Build the application.

    Args:
        site: the objects that the request handlers share.
        loopback: whether the server can be reached only from this device.

    """
    access = Access(site.token, loopback, site.public_url)

    def with_site(handler: Callable[[Site, Request], Any]) -> Callable[[Request], Any]:
        return partial(handler, site)

    routes = [
        Route("/", static_file("page.html")),
        Route("/login", partial(log_in, access), methods=["GET", "POST"]),
        Route("/logout", partial(log_out, access), methods=["POST"]),
        *static_routes(ASSETS),
        *static_routes(LABELLING_ASSETS, LABELLING),
        Route("/picture.jpg", with_site(_picture)),
        Route("/events", partial(event_stream, site, access)),
        Route("/events.csv", with_site(events_csv)),
        Route("/events/{number}.jpg", with_site(_thumbnail)),
        Route("/state", with_site(_state)),
        Route("/classify", with_site(_classify), methods=["POST"]),
        Route("/healthz", with_site(_healthz)),
        Route("/metrics", with_site(_metrics)),
        Route("/openapi.json", with_site(_openapi)),
    ]
    if site.reviews is not None:
        routes += [*ReviewRoutes(site.reviews).routes(), *DownloadRoutes(site.reviews.folder).routes()]
    return Guard(Starlette(routes=routes, exception_handlers={UploadError: refused_body}), access)


def refused_body(_request: Request, problem: Exception) -> Response:
    """Return the response to a body that is refused."""
    status = problem.status if isinstance(problem, UploadError) else 400
    return JSONResponse({"error": " ".join(str(problem).split())}, status)


async def _picture(site: Site, _request: Request) -> Response:
    picture = await asyncio.to_thread(site.hub.jpeg)
    if picture is None:
        return JSONResponse({"error": "no frame has been received yet"}, 404)
    return Response(picture[1], media_type="image/jpeg", headers={"X-Frame-Number": str(picture[0])})


async def _thumbnail(site: Site, request: Request) -> Response:
    number = request.path_params["number"]
    is_number = number.isascii() and number.isdecimal() and len(number) <= MAX_DIGITS
    thumbnail = site.hub.thumbnail(int(number)) if is_number else None
    if thumbnail is None:
        return JSONResponse({"error": "this event has no picture, or is no longer kept"}, 404)
    return Response(thumbnail, media_type="image/jpeg")


async def _state(site: Site, _request: Request) -> Response:
    return JSONResponse(await full_state(site))


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
        return refused_body(request, problem)
    except LimitError as problem:
        return JSONResponse({"error": one_line(problem)}, 413)
    except EdgeError as problem:
        status = 500 if isinstance(problem, InferenceError) else 422  # the model is at fault, or the image
        return JSONResponse({"error": one_line(problem)}, status)
    finally:
        site.uploads -= 1


def _predict(classifier: Classifier, content: bytes) -> dict[str, Any]:
    check_pixels(content)
    return classifier.classify(content, top_k=5, limits=STREAM).to_json()


async def _healthz(site: Site, _request: Request) -> Response:
    if site.hub.has_ended():
        return JSONResponse({"status": "ended"}, 503)
    alive = site.hub.alive_s() <= site.stale_s
    return JSONResponse({"status": "ok" if alive else "stale"}, 200 if alive else 503)


async def _metrics(site: Site, _request: Request) -> Response:
    return await asyncio.to_thread(_metrics_response, site)


def _metrics_response(site: Site) -> Response:
    # Imported here, so that a server that Prometheus does not scrape does not load its library.
    from edge_runtime.web.metrics import CONTENT_TYPE, render_metrics

    text = render_metrics(
        site.hub, site.outboxes, dict(site.upload_responses), site.drift.snapshot if site.drift else None
    )
    return Response(text, headers={"Content-Type": CONTENT_TYPE})


async def _openapi(site: Site, _request: Request) -> Response:
    token, review = site.token is not None, site.reviews is not None
    return JSONResponse(openapi_document(version("edgewise"), token=token, review=review))
