"""The OpenAPI document of the HTTP interface.

It is written by hand: FastAPI would generate it, but needs pydantic's compiled core on the device.
"""

from __future__ import annotations

from typing import Any

from edge_runtime.web.protection.uploads import MAX_BYTES

ERROR = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
SCORED_PROPERTIES = {"label": {"type": "string"}, "score": {"type": "number", "minimum": 0, "maximum": 1}}
SCORED = {"type": "object", "properties": SCORED_PROPERTIES, "required": ["label", "score"]}
PREDICTION = {
    "type": "object",
    "properties": {
        **SCORED_PROPERTIES,
        "top": {"type": "array", "items": {"$ref": "#/components/schemas/Scored"}},
        "familiarity": {
            "type": ["number", "null"],
            "minimum": 0,
            "maximum": 1,
            "description": "The probability that the image belongs to what the model was trained on; null if the model "
            "does not compute it.",
        },
        "decode_ms": {"type": "number"},
        "preprocess_ms": {"type": "number"},
        "inference_ms": {"type": "number"},
    },
    "required": ["label", "score", "top", "familiarity", "decode_ms", "preprocess_ms", "inference_ms"],
}
ERRORS_OF_CLASSIFY = {
    "400": "the connection ended early",
    "408": "the body was received too slowly",
    "413": "too many bytes or pixels",
    "415": "not an image in a supported format",
    "422": "a damaged image",
    "503": "too busy; try again",
}


def openapi_document(version: str, *, token: bool, review: bool = False) -> dict[str, Any]:
    """Return the OpenAPI document.

    Args:
        version: version of Edgewise.
        token: whether requests need the bearer token.
        review: whether labelled pictures can be downloaded.

    """
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "Edgewise", "version": version, "description": "An image classifier that watches a camera."},
        "paths": {
            "/classify": {"post": _classify()},
            "/state": {"get": _get("The newest prediction, rates and latencies.", "application/json")},
            "/events": {
                "get": _get(
                    "Server-sent events: `hello` once, `state` a few times per second, `event` for every event.",
                    "text/event-stream",
                )
            },
            "/events.csv": {"get": _get("The newest events as a table, newest last.", "text/csv")},
            "/picture.jpg": {"get": _get("The newest frame as JPEG.", "image/jpeg")},
            "/healthz": {
                "get": _get("The health: 200 if frames are being classified, otherwise 503.", "application/json")
            },
            "/metrics": {"get": _get("Metrics in Prometheus's text format.", "text/plain")},
        },
        "components": {"schemas": {"Prediction": PREDICTION, "Scored": SCORED, "Error": ERROR}},
    }
    if review:
        document["paths"] |= _review_paths()
    if token:
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
    return document


def _classify() -> dict[str, Any]:
    errors = {
        status: {
            "description": description,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
        for status, description in ERRORS_OF_CLASSIFY.items()
    }
    return {
        "summary": f"Classify one image: the body is the encoded image, at most {MAX_BYTES // 1_000_000} MB.",
        "requestBody": {"required": True, "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}},
        "responses": {
            "200": {
                "description": "the prediction",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Prediction"}}},
            },
            **errors,
        },
    }


def _review_paths() -> dict[str, Any]:
    names = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in ("label", "name")]
    after = {"name": "after", "in": "query", "schema": {"type": "string"}, "description": "the cursor `next`"}
    return {
        "/review/list": {
            "get": {
                **_get("Labels, names, sizes and digests of the labelled pictures, in pages.", "application/json"),
                "parameters": [after],
            }
        },
        "/review/file/{label}/{name}": {"get": {**_get("A labelled picture.", "image/*"), "parameters": names}},
        "/review/pictures.zip": {"get": _get("All labelled pictures with their sidecars.", "application/zip")},
    }


def _get(summary: str, media_type: str) -> dict[str, Any]:
    return {"summary": summary, "responses": {"200": {"description": "success", "content": {media_type: {}}}}}
