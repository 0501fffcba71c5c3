"""Which file do I deploy, how fast, how true, and what did quantization cost?

python -m benchmarks --out report
python -m benchmarks --models emotion_float32.tflite emotion_int8.tflite --data data/fer2013 --out report
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import accuracy, host, latency, pipeline, report
from edge.arguments import ArgumentParser, whole
from edge.camera import open_source
from edge.classifier import BACKENDS, SHIPPED, Backend, open_backend
from edge.demo import demo_images
from edge.detector import open_detector
from edge.errors import exit_status
from edge.files import check_writable, whole_file, write_json
from edge.preprocess import crop
from edge.timing import time_inference
from edge.values import Image, Probabilities
from train.data import FaceSet, load, seen_in, split_of
from train.evaluate import predict_backend
from train.extras import require
from train.progress import Advance, progress
from train.runs import newest_run

SAMPLES = 64  # faces to time the inference on
DATA = Path("data/fer2013")


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = ArgumentParser("python -m benchmarks", __doc__)
    parser.add_argument(
        "--models", type=Path, nargs="+", metavar="FILE", help="the shipped one and the newest run's if not given"
    )
    parser.add_argument("--data", type=Path, help=f"FER-2013, for accuracy; {DATA} where that is there")
    parser.add_argument("--source", default="demo", help="clip for the loop")
    parser.add_argument("--out", type=Path, required=True, help="folder for report.md and results.json")
    parser.add_argument("--runs", type=whole(20), default=1000, help="timed inferences a model")
    parser.add_argument("--frames", type=whole(2), default=300, help="frames of the loop a model")
    parser.add_argument("--threads", type=whole(1, 64), default=1, help="of the classifier")
    args = parser.parse_args(argv)
    args.command = "python -m benchmarks " + shlex.join(sys.argv[1:] if argv is None else argv)
    return args


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    return exit_status(lambda: benchmark(args))


def benchmark(args: argparse.Namespace) -> int:
    """Measure everything, then write everything."""
    for name in ("report.md", "results.json"):
        check_writable(args.out / name)
    machine = host.describe()  # before the work: is something else using the cores?
    backends, models = _load(args.models or _default_models(), args.threads)
    open_source(args.source).close()  # a wrong one is refused before the work
    path = args.data or (DATA if DATA.exists() else None)
    if path:
        require("sklearn", "scikit-learn (for accuracy)", "report")
    faces = load(path, ("train", "public")) if path else {}
    judged = split_of(faces, "public", path) if path else None
    with progress() as stage:
        samples = list(judged.images[:SAMPLES]) if judged else _demo_faces()
        done = stage("latency", args.runs)
        for model, times in zip(models, time_inference(backends, samples, args.runs, done), strict=True):
            model["latency_ms"] = {str(args.threads): latency.percentiles(times)}
        dataset = None
        if judged is not None:
            done = stage("accuracy", len(judged) * len(models))
            dataset = _judge(models, backends, judged, faces.get("train"), done) | {"path": str(path)}
        done = stage("loop", args.frames * len(models))
        loops = [
            {"model": model["file"], **pipeline.measure(backend, args.source, args.frames, done)}
            for model, backend in zip(models, backends, strict=True)
        ]
    results = {"command": args.command, "host": machine, "dataset": dataset, "models": models, "pipeline": loops}
    text = report.markdown(results)
    write_json(args.out / "results.json", results)
    with whole_file(args.out / "report.md") as beside:
        beside.write_text(text, encoding="utf-8")
    print(text)
    print(f"written: {args.out}/report.md, {args.out}/results.json")
    return 0


def _default_models() -> list[Path]:
    run = newest_run()
    exported = sorted(file for file in run.iterdir() if file.suffix in BACKENDS) if run else []
    return [*exported, SHIPPED]


def _load(files: list[Path], threads: int) -> tuple[list[Backend], list[dict[str, Any]]]:
    """Open the models, float32 first, and say which of them each is to be compared with."""
    loaded = []
    for file in files:
        open_backend(file, threads)  # the first of its kind imports the runtime too: not counted
        start = time.perf_counter()
        backend = open_backend(file, threads)
        load_ms = 1000 * (time.perf_counter() - start)
        described = {
            "file": _short(file),
            "format": file.suffix[1:],
            "precision": backend.card.precision,
            "runtime": backend.name,
            "size_bytes": file.stat().st_size,
            "load_ms": load_ms,
            "keras_sha256": backend.card.keras_sha256,
        }
        loaded.append((backend, described))
    loaded.sort(key=lambda item: item[1]["precision"] != "float32")
    models = [described for _, described in loaded]
    for model in models:
        model["base"] = _base(model, models)
    return [backend for backend, _ in loaded], models


def _short(file: Path) -> str:
    """The path as seen from here, where the file is below: reports travel, machines do not."""
    here = Path.cwd()
    return str(file.relative_to(here)) if file.is_relative_to(here) else str(file)


def _base(model: dict[str, Any], models: list[dict[str, Any]]) -> str | None:
    """The float32 file of the same Keras model and format: then the precision is all that differs. None without one."""
    same = ("keras_sha256", "format")
    for other in models:
        if other["precision"] == "float32" and other is not model and all(other[key] == model[key] for key in same):
            return str(other["file"])
    return None


def _demo_faces() -> list[Image]:
    """The face of the demo, for latency where no data set is at hand."""
    pictures = list(demo_images(SAMPLES))
    return [crop(picture, face.box) for picture in pictures for face in open_detector("haar").detect(picture)[:1]]


def _judge(
    models: list[dict[str, Any]], backends: list[Backend], faces: FaceSet, learnt: FaceSet | None, done: Advance
) -> dict[str, Any]:
    """Add to each model how true it is; returns what is to be known about the faces."""
    unseen = ~seen_in(faces, learnt) if learnt else np.ones(len(faces), dtype=bool)
    found: dict[str, Probabilities] = {}  # float32 files come first, so a base is there when it is asked for
    for model, backend in zip(models, backends, strict=True):
        probabilities = found[model["file"]] = predict_backend(backend, faces.images, done)
        model |= accuracy.judge(faces, probabilities, found.get(model["base"]))
        right = probabilities.argmax(1) == faces.labels
        model["accuracy_not_in_training"] = float(right[unseen].mean()) if unseen.any() else None
    return {"split": faces.split, "faces": len(faces), "also_in_training": int((~unseen).sum())}


if __name__ == "__main__":
    raise SystemExit(main())
