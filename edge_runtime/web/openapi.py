"""The OpenAPI description of the HTTP interface."""

from __future__ import annotations

from typing import Any

from edge_runtime.web.uploads import MOST_BYTES

ERROR = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
SCORED = {
    "type": "object",
    "properties": {"label": {"type": "string"}, "score": {"type": "number", "minimum": 0, "maximum": 1}},
    "required": ["label", "score"],
}
PREDICTION = {
    "type": "object",
    "properties": {
        **SCORED["properties"],  # type: ignore[dict-item]
        "top": {"type": "array", "items": {"$ref": "#/components/schemas/Scored"}},
        "decode_ms": {"type": "number"},
        "preprocess_ms": {"type": "number"},
        "inference_ms": {"type": "number"},
    },
    "required": ["label", "score", "top", "decode_ms", "preprocess_ms", "inference_ms"],
}
REFUSALS = {
    "408": "the body was received too slowly",
    "413": "too many bytes or pixels",
    "415": "no image",
    "422": "a damaged image",
    "503": "too busy; try again",
}


def openapi(version: str, *, token: bool) -> dict[str, Any]:
    """Return the OpenAPI document; `token` says whether a token is required."""
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "Edgewise", "version": version, "description": "A classifier behind a camera."},
        "paths": {
            "/classify": {"post": _classify()},
            "/state": {"get": _get("The newest prediction, rates and latencies.", "application/json")},
            "/events": {
                "get": _get("Server-sent: `hello`, `state` a few times a second, `event`.", "text/event-stream")
            },
            "/picture.jpg": {"get": _get("The newest frame.", "image/jpeg")},
            "/healthz": {"get": _get("200 while fresh frames are classified, else 503.", "application/json")},
            "/metrics": {"get": _get("Prometheus's text format.", "text/plain")},
        },
        "components": {"schemas": {"Prediction": PREDICTION, "Scored": SCORED, "Error": ERROR}},
    }
    if token:
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
    return document


def _classify() -> dict[str, Any]:
    refusals = {
        status: {
            "description": why,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
        for status, why in REFUSALS.items()
    }
    return {
        "summary": f"Classify one image: the body is the encoded image, at most {MOST_BYTES // 1_000_000} MB.",
        "requestBody": {"required": True, "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}},
        "responses": {
            "200": {
                "description": "the decision",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Prediction"}}},
            },
            **refusals,
        },
    }


def _get(summary: str, media_type: str) -> dict[str, Any]:
    return {"summary": summary, "responses": {"200": {"description": "as said", "content": {media_type: {}}}}}
