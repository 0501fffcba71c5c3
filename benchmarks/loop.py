"""How fast and how steady is the loop, and how far from its limit?

python -m benchmarks.loop --out report
python -m benchmarks.loop --sources clip.mp4 --detector-model blaze_face_short_range.tflite --peer python --out report

Detector by resolution by number of faces (several faces: the clip four times, at different moments, side by side).
`limit`: the library calls of the detector and the classifier alone. `peer`: fer 25.10 on the same frames.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import host, limit, steadiness
from benchmarks.peer import open_peer
from benchmarks.report import machine, table
from edge.arguments import ArgumentParser, resolution, whole
from edge.camera import open_source
from edge.classifier import SHIPPED, Classifier, open_backend
from edge.detector import Detector, default_cores, open_detector
from edge.errors import SourceError, exit_status
from edge.files import check_writable, whole_file, write_json
from edge.meter import Meter, resident_mb
from edge.opencv import cv2
from edge.pipeline import Pipeline
from edge.values import Frame, Image
from train.progress import Advance, progress

RESOLUTIONS = [(320, 240), (640, 480), (1280, 960)]
STARTS = 5
ROOT = Path(__file__).resolve().parents[1]


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ArgumentParser("python -m benchmarks.loop", __doc__)
    parser.add_argument(
        "--sources", nargs="+", default=["demo"], metavar="CLIP", help="the first is timed, all are judged"
    )
    parser.add_argument("--model", type=Path, default=SHIPPED, help=".tflite or .onnx file made by export")
    parser.add_argument("--detector-model", type=Path, metavar="FILE", help="BlazeFace's file; without it, Haar alone")
    parser.add_argument(
        "--resolutions", nargs="+", type=resolution, default=RESOLUTIONS, metavar="WxH", help="of the frames"
    )
    parser.add_argument("--frames", type=whole(2), default=120, help="of a clip, timed")
    parser.add_argument(
        "--long", type=whole(0), default=10_000, metavar="N", help="frames in which memory must not grow"
    )
    parser.add_argument("--peer", metavar="PYTHON", help="a Python that has fer (pip install fer==25.10.3)")
    parser.add_argument("--out", type=Path, required=True, help="folder for loop.md and loop.json")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    return exit_status(lambda: benchmark(args))


def benchmark(args: argparse.Namespace) -> int:
    """Measure everything, then write everything."""
    for name in ("loop.md", "loop.json"):
        check_writable(args.out / name)
    described = host.describe()
    classifier = Classifier(open_backend(args.model, 1))
    detectors = [open_detector("haar")]
    if args.detector_model:
        detectors.append(open_detector("blazeface", args.detector_model))
    clips = {source: _read(source) for source in args.sources}
    timed = clips[args.sources[0]][: args.frames]
    with progress() as stage:
        done = stage("loop", len(args.resolutions) * 2 * len(detectors))
        rows = [row for size in args.resolutions for row in _time(args, size, timed, detectors, classifier, done)]
        done = stage("steadiness", len(clips) * len(detectors))
        steady = []
        for source, frames in clips.items():
            for detector in detectors:
                judged = steadiness.measure(detector, classifier, frames, None)
                steady.append({"source": source, "detector": detector.name, **judged})
                done()
        memory = _memory(Pipeline(detectors[0], classifier, Meter()), timed, args.long, stage("memory", args.long))
    results = {"host": described, "loop": rows, "steadiness": steady, "start": _starts(), "memory": memory}
    text = _markdown(results)
    write_json(args.out / "loop.json", results)
    with whole_file(args.out / "loop.md") as beside:
        beside.write_text(text, encoding="utf-8")
    print(text)
    return 0


def _read(source: str) -> list[Frame]:
    """At most ten seconds of a clip, brought to at most 640 pixels."""
    frames = []
    with open_source(source) as opened:
        if opened.live or opened.independent:
            raise SourceError(f"expected a clip or demo to measure on, found {source}")
        for frame in islice(opened, round(10 * opened.fps)):
            scale = min(1.0, 640 / max(frame.image.shape[:2]))
            image = cv2.resize(frame.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            frames.append(Frame(frame.index, frame.time_s, 0.0, image))
    return frames


def _time(
    args: argparse.Namespace,
    size: tuple[int, int],
    clip: Sequence[Frame],
    detectors: Sequence[Detector],
    classifier: Classifier,
    done: Advance,
) -> Iterator[dict[str, Any]]:
    """The rows of one resolution."""
    for faces in (1, 4):
        images = [_scene(clip, i, size, faces) for i in range(len(clip))]
        frames = [Frame(i, frame.time_s, 0.0, image) for i, (frame, image) in enumerate(zip(clip, images, strict=True))]
        with contextlib.ExitStack() as closing:
            peer = closing.enter_context(open_peer(args.peer, images)) if args.peer else None
            for detector in detectors:
                cv2.setNumThreads(default_cores(detector.name))
                times = limit.measure(partial(Pipeline, detector, classifier, Meter()), frames, peer)
                yield {"detector": detector.name, "resolution": list(size), "scene": faces, **_summary(times)}
                done()


def _scene(clip: Sequence[Frame], i: int, size: tuple[int, int], faces: int) -> Image:
    """Frame `i` of a clip, its middle cut to a resolution; or four moments of it, side by side."""
    if faces == 1:
        return _cut(clip[i].image, *size)
    half = size[0] // 2, size[1] // 2
    parts = [_cut(clip[(i + part * len(clip) // 4) % len(clip)].image, *half) for part in range(4)]
    return np.concatenate([np.concatenate(parts[:2], axis=1), np.concatenate(parts[2:], axis=1)])


def _cut(image: Image, width: int, height: int) -> Image:
    """The middle of a picture, in the shape of width by height and brought to that size."""
    scale = max(width / image.shape[1], height / image.shape[0])
    across, down = round(width / scale), round(height / scale)
    left, top = (image.shape[1] - across) // 2, (image.shape[0] - down) // 2
    return cv2.resize(image[top : top + down, left : left + across], (width, height), interpolation=cv2.INTER_AREA)


def _summary(times: dict[str, Any]) -> dict[str, Any]:
    """Means and medians in ms; ratios of means, since a detection on every tenth frame is in no median."""
    found: dict[str, Any] = {name: {"mean": values.mean(), "p50": np.median(values)} for name, values in times.items()}
    found["limit_ratio"] = times["loop"].mean() / times["limit"].mean()
    found["peer_ratio"] = times["peer"].mean() / times["loop"].mean() if "peer" in times else None
    return found


def _memory(pipeline: Pipeline, clip: Sequence[Frame], frames: int, done: Advance) -> dict[str, Any]:
    """Resident MB after a tenth of the frames, and after all."""
    after = {}
    for i in range(frames):
        frame = clip[i % len(clip)]
        pipeline.step(Frame(i, i / 30, time.monotonic(), frame.image))
        if i + 1 in (frames // 10, frames):
            after[str(i + 1)] = resident_mb()
        done()
    return after


def _starts() -> dict[str, Any]:
    """Seconds from the start of the program to its end after one reading, and its memory: medians."""
    seconds, memory = [], []
    with tempfile.TemporaryDirectory() as folder:
        stats = Path(folder) / "stats.json"
        command = [sys.executable, str(ROOT / "edge" / "run.py"), "--source", "demo", "--max-frames", "1"]
        command += ["--detector", "haar"]
        for _ in range(STARTS):
            start = time.perf_counter()
            subprocess.run([*command, "--no-display", "--stats", str(stats)], check=True, capture_output=True)
            seconds.append(time.perf_counter() - start)
            memory.append(json.loads(stats.read_text())["rss_mb"])
    return {"seconds": statistics.median(seconds), "rss_mb": memory[0] and statistics.median(memory)}


def _markdown(results: dict[str, Any]) -> str:
    head = [
        "detector",
        "resolution",
        "faces",
        "ms a frame, mean (median)",
        "limit",
        "ratio",
        "fer, ms",
        "times as fast",
    ]
    rows = []
    for row in results["loop"]:
        peer = [f"{row['peer']['mean']:.1f}", f"{row['peer_ratio']:.1f}"] if row["peer_ratio"] else ["-", "-"]
        size, loop = "x".join(map(str, row["resolution"])), row["loop"]
        spent = f"{loop['mean']:.2f} ({loop['p50']:.2f})"
        ratio = [f"{row['limit']['mean']:.2f}", f"{row['limit_ratio']:.2f}"]
        rows.append([row["detector"], size, str(row["scene"]), spent, *ratio, *peer])
    calm = [
        [
            f"`{row['source']}`",
            row["detector"],
            str(row["frames"]),
            f"{row['agreement']:.3f}",
            f"{row['detections'] / row['frames']:.0%}",
            str(row["ids"]),
            *("-" if value is None else f"{value:.2f}" for value in row["changes_per_s"].values()),
        ]
        for row in results["steadiness"]
    ]
    calm_head = [
        "clip",
        "detector",
        "frames",
        "agreement",
        "frames detected on",
        "ids",
        "changes/s raw",
        "smoothed",
        "shown",
    ]
    memory = ", ".join(f"{mb} MB after {count} frames" for count, mb in results["memory"].items())
    start = results["start"]
    parts = [
        "# The loop",
        machine(results["host"]),
        table(head, rows),
        f"Start, one reading and end: {start['seconds']:.2f} s, {start['rss_mb']} MB. This process: {memory}.",
        "## Following faces, and calm names",
        table(calm_head, calm),
        _agreements(results["steadiness"]),
    ]
    return "\n\n".join(parts) + "\n"


def _agreements(rows: list[dict[str, Any]]) -> str:
    """Over all clips, and over the frames with a face alone: where nobody is, it is easy to agree."""
    lines = []
    for detector in dict.fromkeys(row["detector"] for row in rows):
        own = [row for row in rows if row["detector"] == detector]
        frames, with_face = (sum(row[key] for row in own) for key in ("frames", "frames_with_face"))
        apart = sum(row["disagreeing"] for row in own)
        text = f"{detector}: boxes as by detecting always (IoU 0.5) on {1 - apart / frames:.3f} of {frames} frames"
        worst = min(own, key=lambda row: row["agreement"])
        text += f", {1 - apart / with_face:.3f} of the {with_face} with a face" if with_face else ""
        lines.append(f"{text}; {worst['agreement']:.3f} on the worst clip.")
    return "\n".join(f"- {line}" for line in lines)


if __name__ == "__main__":
    raise SystemExit(main())
