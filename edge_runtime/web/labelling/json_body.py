"""The JSON body of a request, with limits, and errors as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response

from edge_runtime.errors import EdgeError, one_line
from edge_runtime.storage.json_files import parse_json
from edge_runtime.web.protection.uploads import UploadError, read_body

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

MAX_BYTES = 100_000
MAX_BODY_S = 10.0
JSON = "application/json"


async def read_json(request: Request, keys: Mapping[str, type]) -> dict[str, Any]:
    """Read a request's body as a JSON object with some of these keys, whose values have these types.

    A page of another site cannot send the media type application/json without asking first.

    Raises:
        UploadError: it is something else, or too large.

    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        raise UploadError(415, f"send {JSON}")
    content = await read_body(request, max_bytes=MAX_BYTES, timeout_s=MAX_BODY_S)
    try:
        data = parse_json(content, "the body", EdgeError)
    except EdgeError as problem:
        raise UploadError(400, one_line(problem)) from None
    for key, value in data.items():
        if key not in keys or type(value) is not keys[key]:
            known = ", ".join(f"{name} ({kind.__name__})" for name, kind in keys.items())
            raise UploadError(400, f"the body must be a JSON object with {known}")
    return data


def refused(status: int, message: str) -> Response:
    """Return a response with an error."""
    return JSONResponse({"error": " ".join(message.split())}, status)
