"""What the review page requests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast, get_args

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from edge_runtime.collection.errors import CollectionError, UnknownLabelError
from edge_runtime.collection.names import is_picture_name
from edge_runtime.collection.review.reviews import Action, Group, View
from edge_runtime.errors import one_line
from edge_runtime.web.labelling.json_body import read_json, refused
from edge_runtime.web.labelling.pictures import GONE, Pictures
from edge_runtime.web.static_files import LABELLING, static_file

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request

    from edge_runtime.collection.review.index import Entry
    from edge_runtime.collection.review.reviews import Outcome, Reviews

MOST_FRAMES, MOST_NAMES = 120, 1000  # in one response, and in one request


class ReviewRoutes:
    """The handlers of one review.

    Attributes:
        reviews: the review.

    """

    def __init__(self, reviews: Reviews) -> None:
        self.reviews = reviews
        self._pictures = Pictures()

    def routes(self) -> list[Route]:
        """Return the routes, all below /review."""
        return [
            Route("/review", static_file("review.html", LABELLING)),
            Route("/review/groups", self._groups),
            Route("/review/frames", self._frames),
            Route("/review/decide", self._decide, methods=["POST"]),
            Route("/review/undo", self._undo, methods=["POST"]),
            Route("/review/thumbnail/{name}", self._thumbnail),
            Route("/review/picture/{name}", self._picture),
        ]

    async def _groups(self, _request: Request) -> Response:
        try:
            labels = await asyncio.to_thread(self.reviews.labels)
            counted = await asyncio.to_thread(self.reviews.counted)
        except CollectionError as problem:
            return refused(500, one_line(problem))
        groups = [{"view": view, "label": label, "count": count} for (view, label), count in counted.groups.items()]
        return JSONResponse(
            {
                "labels": labels,
                "groups": sorted(groups, key=lambda group: (group["view"], group["label"])),
                "accuracy": counted.accuracy and counted.accuracy._asdict(),
                "can_undo": counted.can_undo,
            }
        )

    async def _frames(self, request: Request) -> Response:
        query = request.query_params
        view, limit = query.get("view", "kept"), query.get("limit", "60")
        if view not in get_args(View) or not (limit.isascii() and limit.isdecimal() and int(limit[:9]) > 0):
            return refused(400, f"view must be one of {', '.join(get_args(View))}, and limit a whole number above 0")
        group = Group(cast("View", view), query.get("label", ""))
        most = min(int(limit[:9]), MOST_FRAMES)
        try:
            found = await asyncio.to_thread(self.reviews.page, group, before=query.get("before", ""), limit=most)
        except CollectionError as problem:
            return refused(500, one_line(problem))
        return JSONResponse({"frames": [_frame(entry) for entry in found]})

    async def _decide(self, request: Request) -> Response:
        data = await read_json(request, {"names": list, "action": str, "label": str})
        names, action = data.get("names", []), data.get("action", "label")
        if not 0 < len(names) <= MOST_NAMES or not all(isinstance(name, str) for name in names):
            return refused(400, f"names must be 1 to {MOST_NAMES} texts")
        if action not in get_args(Action):
            return refused(400, f"action must be one of {', '.join(get_args(Action))}")
        label = data.get("label", "")
        try:
            outcome = await asyncio.to_thread(self.reviews.decide, names, cast("Action", action), label)
        except UnknownLabelError as problem:
            return refused(400, one_line(problem))
        except CollectionError as problem:
            return refused(507, one_line(problem))
        return _outcome(outcome)

    async def _undo(self, request: Request) -> Response:
        await read_json(request, {})
        try:
            return _outcome(await asyncio.to_thread(self.reviews.undo))
        except CollectionError as problem:
            return refused(507, one_line(problem))

    async def _thumbnail(self, request: Request) -> Response:
        found = await self._find(request)
        return await self._pictures.thumbnail(*found) if found else refused(404, GONE)

    async def _picture(self, request: Request) -> Response:
        found = await self._find(request)
        return await self._pictures.whole(*found) if found else refused(404, GONE)

    async def _find(self, request: Request) -> tuple[Path, str] | None:
        """Return the folder and the name of the picture that a request names; None if there is none."""
        name = request.path_params["name"]
        found = await asyncio.to_thread(self.reviews.find, name) if is_picture_name(name) else None
        return (found[0], name) if found else None


def _frame(entry: Entry) -> dict[str, Any]:
    """Return a frame as the page reads it."""
    said = entry.said
    return {
        "name": entry.name,
        "label": entry.label,
        "said": said.label,
        "score": round(said.score, 4),
        "reason": said.reason,
    }


def _outcome(outcome: Outcome) -> Response:
    return JSONResponse(outcome._asdict())
