"""Open outputs by name."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edge.sinks.background import Background
from edge.sinks.base import Delivery, Sink, SinkContext

SINKS = {  # name of the option -> class; the window, the console and systemd have none
    "window": "edge.sinks.window:Window",
    "console": "edge.sinks.console:Console",
    "systemd": "edge.sinks.systemd:Systemd",
    "record": "edge.sinks.recording:Recording",
    "events": "edge.sinks.events:Events",
    "report": "edge.sinks.report:Report",
    "report-pictures": "edge.sinks.report:ReportWithPictures",
    "serve": "edge.sinks.serve:Serve",
    "mqtt": "edge.sinks.mqtt:Mqtt",
}
ADDRESSES = ("serve", "mqtt")  # outputs whose target is no file


@dataclass(frozen=True)
class Output:
    """Name a row of SINKS and its target: a file, a folder, `-`, an address."""

    name: str
    target: str = ""


def open_sinks(outputs: Sequence[Output], context: SinkContext) -> list[Sink]:
    """Make the sinks of a run; each opens its target when it is entered. Raises UsageError or OutputError."""
    sinks: list[Sink] = [_sink_class(output.name)(output.target, context) for output in outputs]
    return [
        sink if sink.delivery is Delivery.MAIN_THREAD else Background(sink, context.live, context.stop)
        for sink in sinks
    ]


def is_watched(outputs: Sequence[Output]) -> bool:
    """Return whether a person looks at one of the outputs."""
    return any(_sink_class(output.name).is_watched for output in outputs)


def poll(sinks: Sequence[Sink]) -> None:
    """Serve the events of the sinks, such as a window's keys; to be called in the main thread."""
    for sink in sinks:
        sink.poll()


def _sink_class(name: str) -> Any:
    module, attribute = SINKS[name].split(":")
    return getattr(importlib.import_module(module), attribute)
