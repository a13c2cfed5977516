"""The applications of `edge-run collect` and `edge-run review`, which have no live loop."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import Route

from edge_runtime.web.app import refused_body
from edge_runtime.web.labelling.collect_routes import CollectRoutes
from edge_runtime.web.labelling.download_routes import DownloadRoutes
from edge_runtime.web.labelling.review_routes import ReviewRoutes
from edge_runtime.web.protection.access import Access
from edge_runtime.web.protection.guard import Guard
from edge_runtime.web.protection.login import log_in, log_out
from edge_runtime.web.protection.uploads import UploadError
from edge_runtime.web.static_files import LABELLING, static_file, static_routes

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

    from edge_runtime.collection.review.reviews import Reviews
    from edge_runtime.web.labelling.collect_routes import CollectSite
    from edge_runtime.web.protection.access import PublicUrl

ASSETS = ("style.css", "elements.js", "icon.svg")
LABELLING_ASSETS = ("labelling.css", "labelling.js")


def build_review_app(
    reviews: Reviews, *, token: str | None, loopback: bool = True, public_url: PublicUrl | None = None
) -> ASGIApp:
    """Build the application that reviews a folder.

    Args:
        reviews: the review.
        token: token that requests must have; None if none is required.
        loopback: whether the server can be reached only from this device.
        public_url: address of the proxy in front of the server; None if there is none.

    """
    routes = [
        Route("/", lambda _request: RedirectResponse("/review", 303)),
        Route("/healthz", _healthz),
        *static_routes(ASSETS),
        *static_routes((*LABELLING_ASSETS, "review.js"), LABELLING),
        *ReviewRoutes(reviews).routes(),
        *DownloadRoutes(reviews.folder).routes(),
    ]
    return _guarded(routes, Access(token, loopback, public_url))


def build_collect_app(site: CollectSite, *, loopback: bool = True, public_url: PublicUrl | None = None) -> ASGIApp:
    """Build the application that collects pictures; see `build_review_app` for the arguments."""
    routes = [
        Route("/", static_file("collect.html", LABELLING)),
        *static_routes((*ASSETS, "live_picture.js")),
        *static_routes((*LABELLING_ASSETS, "collect.js"), LABELLING),
        *CollectRoutes(site).routes(),
        *DownloadRoutes(site.collector.folder).routes(),
    ]
    return _guarded(routes, Access(site.token, loopback, public_url))


def _guarded(routes: list[Route], access: Access) -> ASGIApp:
    """Return an application with these routes, the login, and access control around it."""
    login = [
        Route("/login", partial(log_in, access), methods=["GET", "POST"]),
        Route("/logout", partial(log_out, access), methods=["POST"]),
    ]
    return Guard(Starlette(routes=[*login, *routes], exception_handlers={UploadError: refused_body}), access)


def _healthz(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})
