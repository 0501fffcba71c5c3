"""Which file do I deploy, how fast, how true, and what did quantization cost?

python -m benchmarks --out report
python -m benchmarks --models emotion_float32.tflite emotion_int8.tflite --data data/fer2013 --out report
python -m benchmarks --sustained 10 --out report          does this machine keep its speed?
"""

from __future__ import annotations

import argparse
import importlib.util
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import accuracy, loop, models, sustained
from benchmarks.measure.peer import check_peer
from benchmarks.report import content, page, plots, tables
from benchmarks.report.blocks import markdown, plain
from edge import host
from edge.arguments import ArgumentParser, positive, resolution, whole
from edge.backend import BACKENDS, SHIPPED
from edge.backends.base import Backend
from edge.classifier import Classifier
from edge.detector import open_detector
from edge.detectors import blazeface_model
from edge.detectors.base import Detector
from edge.errors import exit_status
from edge.files import atomic_write, check_writable, write_json
from edge.preprocess import crop
from edge.sources.demo import demo_images
from edge.values import Image
from train.data import FaceSet, load, train_val_split
from train.extras import require
from train.progress import progress
from train.runs import newest_run

SAMPLES = 64  # faces to time the inference on
DATA = Path("data/fer2013")
FILES = ("report.md", "report.html", "results.json")
RESOLUTIONS = [(320, 240), (640, 480), (1280, 960)]
USUAL = (640, 480)  # the one at which all models are compared, where it is among those asked for
SCENES = (1, 4)  # faces
SMALLEST, LARGEST = 64, 4096  # pixels of a frame's side


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ArgumentParser("python -m benchmarks", __doc__)
    parser.add_argument(
        "--models", type=Path, nargs="+", metavar="FILE", help="the shipped one and the newest run's if not given"
    )
    parser.add_argument("--data", type=Path, help=f"FER-2013, for accuracy; {DATA} where that is there")
    parser.add_argument("--source", default="demo", help="clip for the loop: its first --frames")
    parser.add_argument("--out", type=Path, required=True, help="folder for report.html, report.md and results.json")
    parser.add_argument("--rounds", type=whole(5), default=50, help="turns a model, of 40 inferences each")
    parser.add_argument(
        "--threads", type=whole(1, 64), nargs="+", help="1, 2 and all cores if not given; 1 is always there"
    )
    parser.add_argument("--frames", type=whole(10), default=120, help="of the clip")
    parser.add_argument("--passes", type=whole(1), default=10, help="how often the clip goes through each loop")
    parser.add_argument("--resolutions", type=resolution, nargs="+", default=RESOLUTIONS, metavar="WxH", help="frames'")
    parser.add_argument(
        "--detector-model", type=Path, metavar="FILE", help="BlazeFace's file; the cached one where it is there"
    )
    parser.add_argument("--peer", metavar="PYTHON", help="a Python that has fer; this one where it has")
    parser.add_argument("--sustained", type=positive, metavar="MINUTES", help="and the loop at full speed for so long")
    args = parser.parse_args(argv)
    for width, height in args.resolutions:
        if min(width, height) < SMALLEST or max(width, height) > LARGEST or width % 2 or height % 2:
            parser.error(f"--resolutions: expected even sides of {SMALLEST} to {LARGEST}, found {width}x{height}")
    args.command = "python -m benchmarks " + shlex.join(sys.argv[1:] if argv is None else argv)
    return args


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    return exit_status(lambda: benchmark(args))


def benchmark(args: argparse.Namespace) -> int:
    """Measure everything, then write everything."""
    for name in FILES:
        check_writable(args.out / name)
    backends, described = models.open_all(args.models or _default_models())
    clip = loop.read(args.source)
    clip = loop.Clip(clip.frames[: args.frames], clip.fps)
    detectors = _detectors(args.detector_model)
    judged, learnt, path = _faces(args.data)
    peer = args.peer or (sys.executable if importlib.util.find_spec("fer") else None)
    if peer:
        check_peer(peer)
    threads = sorted({1, *(args.threads or (min(2, host.cores()), host.cores()))})
    results: dict[str, Any] = {"command": args.command, "host": host.describe(), "models": described}
    with progress() as stage:
        results["dataset"] = None
        if judged is not None:
            done = stage("accuracy", len(judged) * len(described))
            results["dataset"] = accuracy.judge_all(described, backends, judged, learnt, done) | {"path": str(path)}
        samples = list(judged.images[:SAMPLES]) if judged else _demo_faces()
        done = stage("latency", args.rounds * len(threads))
        results["peak_macs_per_s"] = models.time_all(described, backends, samples, args.rounds, threads, done)
        results["deploy"] = models.to_deploy(described)
        cells = _cells(results, backends, detectors, args.resolutions)
        results["clip"] = {"source": args.source, "frames": len(clip.frames), "fps": clip.fps, "sha256": clip.sha256}
        results["start"] = loop.starts()
        results["pipeline"] = list(loop.measure(cells, clip, args.passes, peer, stage("loop", len(cells))))
        results["sustained"] = None
        if args.sustained:
            done = stage("sustained", sustained.POINTS)
            compared = (described[results["deploy"]]["name"], _usual(args.resolutions), 1)
            own = [cell for cell in cells if (cell.model, cell.resolution, cell.scene) == compared]
            results["sustained"] = sustained.measure(own[-1], clip, args.sustained, done)
    results["host_after"] = host.sensors()
    _write(results, args.out)
    return 0


def _default_models() -> list[Path]:
    run = newest_run()
    exported = sorted(file for file in run.iterdir() if file.suffix in BACKENDS) if run else []
    return [*exported, SHIPPED]


def _detectors(blazeface: Path | None) -> list[Detector]:
    found = [open_detector("haar")]
    if blazeface or blazeface_model.at_hand():
        found.append(open_detector("blazeface", blazeface))
    return found


def _faces(data: Path | None) -> tuple[FaceSet | None, FaceSet | None, Path | None]:
    """PublicTest, what was learnt from, and where both are from; None each where there is no data set."""
    path = data or (DATA if DATA.exists() else None)
    if path is None:
        return None, None, None
    require("sklearn", "scikit-learn (for accuracy)", "report")
    learnt, judged = train_val_split(load(path, ("train", "public")), path)
    return judged, learnt, path


def _demo_faces() -> list[Image]:
    """The face of the demo, for latency where no data set is at hand."""
    detector = open_detector("haar")
    return [crop(picture, face.box) for picture in demo_images(SAMPLES) for face in detector.detect(picture)[:1]]


def _cells(
    results: dict[str, Any],
    backends: Sequence[Backend],
    detectors: Sequence[Detector],
    resolutions: Sequence[tuple[int, int]],
) -> list[loop.Cell]:
    """The model to deploy in every way; the others at one resolution, with one face."""
    usual = _usual(resolutions)
    return [
        loop.Cell(model["name"], Classifier(backend), detector, size, scene)
        for size in resolutions
        for scene in SCENES
        for i, (model, backend) in enumerate(zip(results["models"], backends, strict=True))
        for detector in detectors
        if i == results["deploy"] or (size, scene) == (usual, 1)
    ]


def _usual(resolutions: Sequence[tuple[int, int]]) -> tuple[int, int]:
    return USUAL if USUAL in resolutions else resolutions[0]


def _write(results: dict[str, Any], out: Path) -> None:
    """The three files, and the tables that matter most for whoever waits."""
    blocks = content.blocks(results, plots.draw(results))
    write_json(out / "results.json", results)
    for name, text in (("report.md", markdown(blocks)), ("report.html", page.html(blocks))):
        with atomic_write(out / name) as tmp:
            tmp.write_text(text, encoding="utf-8")
    for block in (tables.overview(results), tables.flat_out(results["pipeline"]), content.verdict(results)):
        print(plain(block), end="\n\n")
    print(f"written: {', '.join(str(out / name) for name in FILES)}")


if __name__ == "__main__":
    raise SystemExit(main())
