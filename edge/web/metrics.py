"""Write the counts of a run for Prometheus (text format 0.0.4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from edge.host import resident_mb
from edge.labels import UNCERTAIN
from edge.web.hub import Hub

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def metrics(hub: Hub, labels: Sequence[str], is_live: bool) -> str:
    """Return all metrics; `labels` are the model's, `is_live` says whether the camera gives pictures."""
    state = hub.newest.state if hub.newest else {}
    faces = state.get("faces", [])
    now = Counter(face["emotion"] for face in faces)
    names = [*labels, UNCERTAIN]
    viewers = {kind: hub.viewers[kind] for kind in ("stream", "events")}
    memory = resident_mb()
    lines = [
        *_metric("camera_up", "gauge", "Whether the camera gives pictures.", int(is_live)),
        *_metric("camera_lost_total", "counter", "Times that the camera was lost.", hub.outages),
        *_metric("frames_total", "counter", "Frames that were read.", hub.frames),
        *_metric("frames_per_second", "gauge", "Rate over the last 30 frames.", state.get("fps", 0) if is_live else 0),
        *_metric("frame_age_seconds", "gauge", "Time from capture to page.", state.get("age_ms", 0) / 1000),
        *_metric("silence_seconds", "gauge", "Time since the newest frame.", round(hub.silence_s or 0, 3)),
        *_metric("faces", "gauge", "Faces in the newest frame, by label.", {name: now[name] for name in names}),
        *_metric("readings_total", "counter", "Faces read, by label.", {name: hub.readings[name] for name in names}),
        *_metric("viewers", "gauge", "Open streams.", viewers, "kind"),
    ]
    if memory is not None:
        lines += _metric("resident_memory_bytes", "gauge", "Memory of the process.", round(memory * 1e6))
    return "\n".join(lines) + "\n"


def _metric(name: str, kind: str, text: str, value: float | Mapping[str, float], label: str = "emotion") -> list[str]:
    """Return the lines of one metric: one value, or one for each value of a label."""
    full = f"edge_emotion_{name}"
    values = {"": value}
    if isinstance(value, Mapping):
        values = {f'{{{label}="{_escaped(key)}"}}': value[key] for key in value}
    return [f"# HELP {full} {text}", f"# TYPE {full} {kind}", *(f"{full}{key} {values[key]}" for key in values)]


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
