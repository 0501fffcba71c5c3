"""Describe this device to Home Assistant, so that its entities appear without any configuration.

Source: https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload, checked against the schemas in
homeassistant/components/mqtt/schemas.py (2025).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edge.labels import UNCERTAIN

STATUS_TOPIC = "homeassistant/status"  # Home Assistant publishes "online" there when it has started
NONE = "none"  # the emotion while there is no face
CONFIDENCE = "{{ none if value_json.confidence is none else (value_json.confidence * 100) | round }}"


@dataclass(frozen=True)
class Topics:
    """Name the topics of a device below its base topic."""

    base: str

    @property
    def state(self) -> str:
        """Return the topic of the readings, as JSON."""
        return f"{self.base}/state"

    @property
    def process(self) -> str:
        """Return the topic that says whether the program runs: online or offline, retained."""
        return f"{self.base}/availability"

    @property
    def camera(self) -> str:
        """Return the topic that says whether the camera gives pictures: online or offline, retained."""
        return f"{self.base}/camera"


def config_topic(device_id: str) -> str:
    """Return the topic of the description."""
    return f"homeassistant/device/{device_id}/config"


def description(
    device_id: str, name: str, topics: Topics, labels: Sequence[str], version: str, silence_s: int, page: str | None
) -> dict[str, Any]:
    """Return the description: device, origin and components.

    Values become unavailable if no state comes for `silence_s` seconds. `page` is the URL of the live page. Trouble and
    the frame rate stay available while the camera is lost.
    """
    device = {"identifiers": [device_id], "name": name, "manufacturer": "edge-emotion", "sw_version": version}
    components = _readings(labels) | _diagnostics()
    process = [{"topic": topics.process}]
    for key, component in components.items():
        is_diagnostic = "entity_category" in component
        component["unique_id"] = f"{device_id}_{key}"
        component["availability"] = process if is_diagnostic else [*process, {"topic": topics.camera}]
        component["availability_mode"] = "all"
        component["expire_after"] = silence_s
    emotion = components["emotion"]
    emotion["json_attributes_topic"] = topics.state
    emotion["json_attributes_template"] = "{{ value_json.probabilities | tojson }}"
    return {
        "dev": device | ({"configuration_url": page} if page else {}),
        "o": {"name": "edge-emotion", "sw_version": version},
        "cmps": components,
        "state_topic": topics.state,
    }


def _readings(labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    return {
        "emotion": {
            "platform": "sensor",
            "name": "Emotion",
            "device_class": "enum",
            "options": list(dict.fromkeys([NONE, UNCERTAIN, *labels])),
            "value_template": "{{ value_json.emotion }}",
        },
        "face": {
            "platform": "binary_sensor",
            "name": "Face",
            "device_class": "occupancy",
            "value_template": "{{ 'ON' if value_json.face else 'OFF' }}",
        },
        "confidence": {
            "platform": "sensor",
            "name": "Confidence",
            "unit_of_measurement": "%",
            "state_class": "measurement",
            "value_template": CONFIDENCE,
        },
        "count": {
            "platform": "sensor",
            "name": "Faces",
            "state_class": "measurement",
            "value_template": "{{ value_json.count }}",
        },
    }


def _diagnostics() -> dict[str, dict[str, Any]]:
    return {
        "fps": {
            "platform": "sensor",
            "name": "Frame rate",
            "entity_category": "diagnostic",
            "unit_of_measurement": "FPS",
            "state_class": "measurement",
            "value_template": "{{ value_json.fps }}",
        },
        "trouble": {
            "platform": "sensor",
            "name": "Trouble",
            "entity_category": "diagnostic",
            "value_template": "{{ value_json.trouble or 'none' }}",
        },
    }
