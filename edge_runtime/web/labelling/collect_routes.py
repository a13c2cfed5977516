"""What the page that collects pictures requests."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edge_runtime.collection.errors import CollectionError
from edge_runtime.collection.names import is_picture_name
from edge_runtime.collection.schedule import Rate
from edge_runtime.errors import EdgeError, SourceError, one_line
from edge_runtime.web.labelling.json_body import read_json, refused
from edge_runtime.web.labelling.pictures import GONE, Pictures

if TYPE_CHECKING:
    from starlette.requests import Request

    from edge_runtime.collection.collector import Collector, Stored
    from edge_runtime.web.labelling.camera import CameraView

STALE_S = 2.0  # an older frame does not show what the user sees
PER_S, AT_ONCE = 8.0, 4.0  # pictures that all clients together may take
LATEST = 30


@dataclass
class CollectSite:
    """The objects that the handlers share.

    Attributes:
        collector: stores the pictures.
        view: the camera.
        token: token that requests must have; None if none is required.
        title: title of the page.
        roi: x, y, width and height of the region that is stored; None stores all of the picture.
        rate: limits the pictures that are taken.

    """

    collector: Collector
    view: CameraView
    token: str | None = None
    title: str = "Collect"
    roi: tuple[int, int, int, int] | None = None
    rate: Rate = field(default_factory=lambda: Rate(PER_S, AT_ONCE))


class CollectRoutes:
    """The handlers of one site."""

    def __init__(self, site: CollectSite) -> None:
        self._site = site
        self._pictures = Pictures()

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/picture.jpg", self._live),
            Route("/healthz", self._healthz),
            Route("/collect/state", self._state),
            Route("/collect/take", self._take, methods=["POST"]),
            Route("/collect/undo", self._undo, methods=["POST"]),
            Route("/collect/delete", self._delete, methods=["POST"]),
            Route("/collect/thumbnail/{label}/{name}", self._thumbnail),
            Route("/collect/picture/{label}/{name}", self._picture),
        ]

    async def _live(self, _request: Request) -> Response:
        try:
            picture = await asyncio.to_thread(self._site.view.hub.jpeg)
        except (OSError, ValueError, SyntaxError) as problem:
            return refused(422, f"the frame cannot be decoded ({problem})")
        if picture is None:
            return refused(404, "no frame has been received yet")
        return Response(picture[1], media_type="image/jpeg")

    async def _healthz(self, _request: Request) -> Response:
        alive = self._site.view.since_s() <= STALE_S
        return JSONResponse({"status": "ok" if alive else "stale"}, 200 if alive else 503)

    async def _state(self, _request: Request) -> Response:
        return JSONResponse(await asyncio.to_thread(self._state_json))

    def _state_json(self) -> dict[str, Any]:
        site, collector = self._site, self._site.collector
        newest, since_s = site.view.newest(), site.view.since_s()
        guess = newest[1] if newest else None
        return {
            "title": site.title,
            "can_log_out": site.token is not None,
            "labels": [{"label": label, "count": count} for label, count in collector.counts().items()],
            "repeated": collector.repeated,
            "can_undo": collector.can_undo(),
            "frame": newest[0].number if newest else None,
            "since_s": None if math.isinf(since_s) else round(since_s, 2),
            "is_live": since_s <= STALE_S,
            "problem": site.view.problem(),
            "guess": guess and {"label": guess.label, "score": round(guess.score, 4)},
            "roi": site.roi,
            "frame_size": site.view.hub.state().frame_size,
            "latest": [_stored(item) for item in _unsure_first(collector.latest()[:LATEST])],
        }

    async def _take(self, request: Request) -> Response:
        data = await read_json(request, {"label": str, "first": bool})
        label = data.get("label", "")
        newest = self._site.view.newest()
        if label not in self._site.collector.labels:
            return refused(400, f"{label!r} is not one of the labels")
        if newest is None or self._site.view.since_s() > STALE_S:
            return refused(503, f"the camera sends no frames {self._site.view.problem()}")
        if not self._site.rate.take(time.monotonic()):
            return refused(429, "too many pictures per second")
        frame, guess = newest
        score = guess.score if guess else None
        first = data.get("first", True)
        try:
            taken = await asyncio.to_thread(self._site.collector.take, frame, label, is_first=first, score=score)
        except EdgeError as problem:
            return refused(422 if isinstance(problem, SourceError) else 507, one_line(problem))
        return JSONResponse({"result": taken.result, "picture": taken.picture and _stored(taken.picture)})

    async def _undo(self, request: Request) -> Response:
        await read_json(request, {})
        try:
            pictures = await asyncio.to_thread(self._site.collector.undo)
        except CollectionError as problem:
            return refused(507, one_line(problem))
        return JSONResponse({"pictures": [_stored(item) for item in pictures]})

    async def _delete(self, request: Request) -> Response:
        data = await read_json(request, {"label": str, "name": str})
        label, name = data.get("label", ""), data.get("name", "")
        if label not in self._site.collector.labels:
            return refused(400, f"{label!r} is not one of the labels")
        try:
            deleted = await asyncio.to_thread(self._site.collector.delete, label, name)
        except CollectionError as problem:
            return refused(507, one_line(problem))
        return JSONResponse({"deleted": True}) if deleted else refused(404, GONE)

    async def _thumbnail(self, request: Request) -> Response:
        relative = self._relative(request)
        if relative is None:
            return refused(404, GONE)
        return await self._pictures.thumbnail(self._site.collector.folder, relative)

    async def _picture(self, request: Request) -> Response:
        relative = self._relative(request)
        return (
            refused(404, GONE)
            if relative is None
            else await self._pictures.whole(self._site.collector.folder, relative)
        )

    def _relative(self, request: Request) -> str | None:
        """Return the path of the picture that a request names; None if it is not a valid one."""
        label, name = request.path_params["label"], request.path_params["name"]
        known = label in self._site.collector.labels and is_picture_name(name)
        return f"{label}/{name}" if known else None


def _unsure_first(pictures: list[Stored]) -> list[Stored]:
    """Return the pictures of which a model is least sure first; without a model, in their order."""
    return sorted(pictures, key=lambda item: 1.0 if item.score is None else item.score)


def _stored(picture: Stored) -> dict[str, Any]:
    return {"label": picture.label, "name": picture.name, "score": picture.score}
