"""The MQTT discovery messages that make Home Assistant show a classifier as one device.

https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery
"""

from __future__ import annotations

from typing import Any, NamedTuple, get_args

from edge_runtime.live.records import EventKind

DISCOVERY = "homeassistant"  # Home Assistant's default prefix
EXPIRES_S = 120  # seconds after which Home Assistant shows a value that was not renewed as unavailable


class Topics(NamedTuple):
    """The topics of a device; see `topics`."""

    availability: str
    prediction: str
    event: str
    camera: str
    thumbnail: str
    drift: str
    device: str


def topics(base: str) -> Topics:
    """Return a device's topics under its base topic, such as "edgewise/porch"."""
    return Topics(*(f"{base}/{name}" for name in Topics._fields))


def discovery(node: str, base: str, version: str) -> dict[str, dict[str, Any]]:
    """Return the discovery messages, by topic.

    Args:
        node: the device's identifier: letters, digits, `_` and `-`.
        base: its base topic.
        version: of edgewise.

    Returns:
        One JSON object per topic; each must be published retained.

    """
    at = topics(base)
    shared = {
        "availability_topic": at.availability,
        "device": {"identifiers": [f"edgewise_{node}"], "name": node, "model": "Edgewise", "sw_version": version},
        "origin": {"name": "Edgewise", "sw_version": version},
    }
    return {
        f"{DISCOVERY}/{component}/edgewise_{node}/{name}/config": {
            **shared,
            **entity,
            "unique_id": f"edgewise_{node}_{name}",
        }
        for (component, name), entity in _entities(at).items()
    }


def _entities(at: Topics) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the configuration of each entity, by its component and its name."""
    from_prediction = {"state_topic": at.prediction, "expire_after": EXPIRES_S}
    milliseconds = {"unit_of_measurement": "ms", "state_class": "measurement", "entity_category": "diagnostic"}
    return {
        ("sensor", "label"): {**from_prediction, "name": "Label", "value_template": "{{ value_json.stable }}"},
        ("sensor", "score"): {
            **from_prediction,
            "name": "Score",
            # Without a score for an unknown whose score is that of a class below its threshold.
            "value_template": "{{ none if value_json.label == 'unknown' and value_json.score == value_json.top[0].score"
            " else (value_json.score * 100) | round(1) }}",
            "unit_of_measurement": "%",
            "state_class": "measurement",
        },
        ("sensor", "familiarity"): {
            **from_prediction,
            "name": "Familiarity",
            # A model that does not compute it has null.
            "value_template": "{{ none if value_json.familiarity is none"
            " else (value_json.familiarity * 100) | round(1) }}",
            "unit_of_measurement": "%",
            "state_class": "measurement",
            "entity_category": "diagnostic",
        },
        ("sensor", "age"): {
            **from_prediction,
            **milliseconds,
            "name": "Age when decided",
            "value_template": "{{ value_json.age_ms }}",
        },
        ("binary_sensor", "camera"): {"state_topic": at.camera, "name": "Camera", "device_class": "connectivity"},
        ("binary_sensor", "drift"): {
            "state_topic": at.drift,
            "value_template": "{{ value_json.state }}",
            "json_attributes_topic": at.drift,
            "name": "Drift",
            "device_class": "problem",
            "entity_category": "diagnostic",
        },
        ("event", "event"): {"state_topic": at.event, "name": "Event", "event_types": list(get_args(EventKind))},
        ("image", "best"): {"image_topic": at.thumbnail, "name": "Best frame", "content_type": "image/jpeg"},
    }
