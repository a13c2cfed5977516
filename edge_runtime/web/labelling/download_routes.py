"""The labelled pictures for other programs, as docs/collection-format.md specifies."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from edge_runtime.collection.listing import Listing
from edge_runtime.web.labelling.json_body import refused
from edge_runtime.web.labelling.pictures import GONE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.requests import Request

MOST_CURSOR = 300  # characters


class DownloadRoutes:
    """The handlers for the labelled pictures of one folder.

    Attributes:
        listing: the pictures.

    """

    def __init__(self, folder: Path) -> None:
        self.listing = Listing(folder)
        self._archives = 0

    def routes(self) -> list[Route]:
        """Return the routes, all below /review."""
        return [
            Route("/review/list", self._list),
            Route("/review/file/{label}/{name}", self._file),
            Route("/review/pictures.zip", self._archive),
        ]

    async def _list(self, request: Request) -> Response:
        after = request.query_params.get("after", "")
        if len(after) > MOST_CURSOR:
            return refused(400, "after must be a cursor that /review/list returned")
        found, following = await asyncio.to_thread(self.listing.page, after)
        return JSONResponse({"files": [item._asdict() for item in found], "next": following})

    async def _file(self, request: Request) -> Response:
        label, name = request.path_params["label"], request.path_params["name"]
        content = await asyncio.to_thread(self.listing.read, label, name)
        if content is None:
            return refused(404, GONE)
        return Response(content, media_type="image/png" if name.endswith(".png") else "image/jpeg")

    async def _archive(self, _request: Request) -> Response:
        if self._archives:
            return JSONResponse({"error": "another download is in progress; try again"}, 503, {"Retry-After": "10"})
        headers = {"Content-Disposition": 'attachment; filename="pictures.zip"'}
        return StreamingResponse(self._pieces(), media_type="application/zip", headers=headers)

    async def _pieces(self) -> AsyncIterator[bytes]:
        self._archives += 1
        pieces = self.listing.archive()
        try:
            while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
                yield piece
        finally:
            self._archives -= 1
