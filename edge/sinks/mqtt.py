"""Publish readings to an MQTT broker, for Home Assistant and for one place that hears many devices.

docs/home-assistant.md describes the topics. The state is published when it changes, at most twice a second, and every
ten seconds; never for each frame.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from types import TracebackType

from edge.__main__ import version
from edge.errors import UsageError
from edge.host import device_id
from edge.meter import Meter
from edge.mqtt.broker import Broker
from edge.mqtt.connection import Connection
from edge.mqtt.home_assistant import NONE, STATUS_TOPIC, Topics, config_topic, description
from edge.sinks.base import Sink, SinkContext
from edge.sinks.events import event
from edge.values import Frame, Reading
from edge.web.address import Address

MIN_INTERVAL_S = 0.5  # between two states, however often they change
HEARTBEAT_S = 10.0  # after which an unchanged state is published again
SILENCE_S = 35  # without a state, for Home Assistant: three heartbeats and some time to travel
ONLINE, OFFLINE = "online", "offline"


class Schedule:
    """Decide when to publish: a change soon, nothing new at every heartbeat. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._key: Hashable = None
        self._published_s: float | None = None

    def is_due(self, key: Hashable, now_s: float) -> bool:
        """Return whether a state is to be published now, in which case it counts as published.

        `key` identifies what counts as a change. One that comes too soon stays due, so that the last one is not lost.
        """
        elapsed_s = float("inf") if self._published_s is None else now_s - self._published_s
        due = elapsed_s >= HEARTBEAT_S or (elapsed_s >= MIN_INTERVAL_S and key != self._key)
        if due:
            self._key = key
            self._published_s = now_s
        return due


class Mqtt(Sink):
    """Publish the state of the largest face, the number of faces, and the state of the camera."""

    def __init__(self, target: str, context: SinkContext) -> None:
        broker = Broker.parse(target)
        if context.independent:
            raise UsageError("expected a camera or a video with --mqtt, found pictures; use --events FILE")
        self.name = f"the MQTT broker at {broker.address}"
        self._labels = context.labels
        # Now: an error would end the connection's thread, where the URL is made; by then, there may be a network.
        self._page = None if context.page is None else Address.parse(context.page)
        self._id = f"edge_emotion_{device_id(broker.topic or '')}"
        self._device_name = f"Edge emotion {broker.topic or socket.gethostname()}"
        self._topics = Topics(broker.topic or f"edge-emotion/{self._id.rpartition('_')[2]}")
        self._meter = Meter()
        self._schedule = Schedule()
        self._lock = threading.Lock()  # keeps the messages of both threads in order
        self._camera = OFFLINE
        self._state: Callable[[], str] | None = None  # builds the newest one, which is seldom published
        self._connection = Connection(
            broker,
            self._id,
            (self._topics.process, OFFLINE),
            (STATUS_TOPIC, self._topics.process),
            self._publish_all,
            self._on_message,
        )

    def __enter__(self) -> Mqtt:
        self._connection.start()
        return self

    def write(self, frame: Frame, readings: Sequence[Reading]) -> None:
        if not frame.error:
            self._meter.frame()
        camera = OFFLINE if frame.error else ONLINE
        largest = _largest(readings)
        key = (camera, largest.emotion if largest else None, len(readings))
        with self._lock:
            self._state = partial(_state, frame, readings, self._meter.fps_now)
            if camera != self._camera:
                self._camera = camera
                self._connection.publish(self._topics.camera, camera, retain=True)
            if self._schedule.is_due(key, time.monotonic()):
                self._connection.publish(self._topics.state, self._state())

    def _publish_all(self) -> None:
        """Publish all that is true now: to a broker that may have forgotten it, or to a Home Assistant that started."""
        config = description(
            self._id,
            self._device_name,
            self._topics,
            self._labels,
            version(),
            SILENCE_S,
            _page_url(self._page),
        )
        with self._lock:
            self._connection.publish(config_topic(self._id), json.dumps(config), retain=True)
            self._connection.publish(self._topics.camera, self._camera, retain=True)
            self._connection.publish(self._topics.process, ONLINE, retain=True)
            if self._state:
                self._connection.publish(self._topics.state, self._state())

    def _on_message(self, topic: str, payload: bytes) -> None:
        if topic == STATUS_TOPIC and payload == ONLINE.encode():
            self._publish_all()
        elif topic == self._topics.process and payload == OFFLINE.encode():  # the will of a connection that we lost
            self._connection.publish(self._topics.process, ONLINE, retain=True)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close(self._topics.process, OFFLINE)


def _page_url(page: Address | None) -> str | None:
    """Return the URL of the live page, if other machines can open it."""
    return None if page is None or page.is_private or not page.port else page.url(page.port)


def _largest(readings: Sequence[Reading]) -> Reading | None:
    return max(readings, key=lambda reading: reading.face.box.width * reading.face.box.height, default=None)


def _state(frame: Frame, readings: Sequence[Reading], fps: float) -> str:
    """Return the published state as JSON; emotion, confidence and probabilities are those of the largest face."""
    faces = event(frame, readings)["faces"]
    first = _largest(readings)
    largest = faces[readings.index(first)] if first else None
    state = {
        "face": bool(faces),
        "emotion": largest["emotion"] if largest else NONE,
        "confidence": largest["confidence"] if largest else None,
        "count": len(faces),
        "fps": 0.0 if frame.error else round(fps, 1),
        "trouble": frame.error,
        "probabilities": largest["probabilities"] if largest else {},
        "faces": [{key: face[key] for key in ("id", "emotion", "confidence")} for face in faces],
    }
    return json.dumps(state)
