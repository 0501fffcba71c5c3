"""Keep a connection to an MQTT broker in a thread of its own, so that no caller ever waits for the network."""

from __future__ import annotations

import contextlib
import ssl
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from edge.errors import MissingExtra
from edge.mqtt.broker import Broker
from edge.untrusted import printable

KEEPALIVE_S = 20  # a silent connection is given up after 1.5 times as long; then the broker publishes the last will
MIN_BACKOFF_S, MAX_BACKOFF_S = 1, 60  # between attempts to connect
CLOSE_S = 1.0  # for the last message, and for the thread to end
SHORT_S = 5.0  # a connection that lasts less was probably taken over


class Connection:
    """Connect again and again, with exponential back-off, and report each change in one line.

    What is published while there is no connection is dropped: `on_connect` publishes what is still true. So nothing
    waits in a queue, and a broker that comes back gets no old news.
    """

    def __init__(
        self,
        broker: Broker,
        client_id: str,
        will: tuple[str, str],
        topics: Sequence[str],
        on_connect: Callable[[], None],
        on_message: Callable[[str, bytes], None],
    ) -> None:
        """`will` is a retained message (topic, payload) that the broker publishes if this program dies.

        `topics` are subscribed to. The callbacks run in the thread. Raises MissingExtra.
        """
        try:
            from paho.mqtt.client import Client
            from paho.mqtt.enums import CallbackAPIVersion
        except ImportError as error:
            raise MissingExtra("paho-mqtt, version 2", "mqtt") from error
        self._broker = broker
        self._topics = topics
        self._synchronize = on_connect
        self._receive = on_message
        self._reported = ""
        self._connected_s = 0.0
        self._short_ones = 0  # connections in a row that did not last
        self._closing = False
        self._client = Client(CallbackAPIVersion.VERSION2, client_id)
        self._client.will_set(*will, retain=True)
        self._client.reconnect_delay_set(MIN_BACKOFF_S, MAX_BACKOFF_S)
        if broker.user is not None:
            self._client.username_pw_set(broker.user, broker.password)
        if broker.tls:
            self._client.tls_set_context(ssl.create_default_context())
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message

    def start(self) -> None:
        """Start to connect; returns at once."""
        self._client.connect_async(self._broker.host, self._broker.port, KEEPALIVE_S)
        self._client.loop_start()

    def publish(self, topic: str, payload: str, retain: bool = False) -> None:
        """Hand a message to the thread, or drop it while there is no connection."""
        if self._client.is_connected():
            self._client.publish(topic, payload, retain=retain)

    def close(self, topic: str, payload: str) -> None:
        """Publish a last retained message and end the connection, within about CLOSE_S.

        After an orderly end, the broker does not publish the will.
        """
        self._closing = True
        if self._client.is_connected():
            with contextlib.suppress(RuntimeError, ValueError):  # no connection any more: the will is published
                self._client.publish(topic, payload, retain=True).wait_for_publish(CLOSE_S)
        self._client.disconnect()
        # It joins the thread, which may be blocked in a name server's or a broker's silence.
        stopper = threading.Thread(target=self._client.loop_stop, name="mqtt end", daemon=True)
        stopper.start()
        stopper.join(CLOSE_S)

    def _on_connect(self, client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._report(f"the broker refuses the connection ({reason}); trying again")
            return
        self._connected_s = time.monotonic()
        self._report("connected")
        self._synchronize()
        for topic in self._topics:
            client.subscribe(topic)

    def _on_connect_fail(self, _client: Any, _data: Any) -> None:
        error = sys.exc_info()[1]  # paho calls this while it handles the error
        reason = getattr(error, "verify_message", "") or getattr(error, "strerror", None) or error or "no answer"
        self._report(f"cannot connect ({reason}); trying again")

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if self._closing or not self._connected_s:
            return
        lasted_s = time.monotonic() - self._connected_s
        self._connected_s = 0.0
        self._short_ones = self._short_ones + 1 if lasted_s < SHORT_S else 0
        hint = "; a second program on this machine needs a topic of its own: mqtt://host/TOPIC"
        self._report(f"connection lost ({reason}); connecting again{hint if self._short_ones > 1 else ''}")

    def _on_message(self, _client: Any, _data: Any, message: Any) -> None:
        if not self._closing:  # else it is the last message, which comes back
            self._receive(message.topic, message.payload)

    def _report(self, text: str) -> None:
        """Print what is new, not every attempt."""
        if text != self._reported and not self._closing:
            print(printable(f"mqtt {self._broker.address}: {text}"), file=sys.stderr, flush=True)
        self._reported = text
