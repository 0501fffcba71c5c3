"""Read batches of pictures in a process of a cluster; edge.cluster.client sends them."""

from __future__ import annotations

import functools
import hashlib
import platform
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge.backend import SHIPPED, open_backend
from edge.classifier import Classifier
from edge.errors import EmotionError, ModelError, SourceError
from edge.model_file import read_model_bytes
from edge.options import RunOptions
from edge.pipeline import Pipeline, open_pipeline
from edge.sources.pictures import load_picture
from edge.values import Frame, Reading


@dataclass(frozen=True)
class Job:
    """Describe how every picture of a run is read."""

    options: RunOptions
    model_sha256: str
    load: Callable[[Any], bytes]  # returns the contents of a picture

    @classmethod
    def of(cls, options: RunOptions, model: Path, load: Callable[[Any], bytes]) -> Job:
        """Make the job of a run; files of its options are named so that every process finds them."""
        options = replace(
            options,
            model=model.absolute(),
            detector_model=options.detector_model and options.detector_model.absolute(),
            neutral=options.neutral and str(Path(options.neutral).absolute()),
            threads=options.threads or 1,
            outputs=(),
        )
        return cls(options, _sha256(model), load)


@dataclass(frozen=True)
class Picture:
    """Name a picture: for the job's `load`, and in events."""

    file: Any  # a path, or what the store calls it
    name: str


@dataclass(frozen=True)
class Outcome:
    """Hold what reading one picture gave: its readings, or why it is passed over."""

    readings: Sequence[Reading] = ()
    error: str | None = None
    is_decoded: bool = True  # such a picture has a frame number, even if no faces can be found in it
    has_more: bool = False  # the file holds more pictures than the first


def read_batch(job: Job, pictures: Sequence[Picture]) -> list[Outcome]:
    """Read pictures with the pipeline of this thread. Raises EmotionError if it cannot be opened here."""
    pipeline = _open(job, threading.get_ident())
    return [_read(job, pipeline, picture) for picture in pictures]


@functools.lru_cache(maxsize=16)
def _open(job: Job, thread: int) -> Pipeline:
    """Open the pipeline of a thread: interpreters and detectors must not be shared."""
    path = job.options.model
    try:
        if path.name == SHIPPED.name and not path.exists():  # it is elsewhere on this machine
            path = SHIPPED
        if _sha256(path) != job.model_sha256:
            raise ModelError(f"{path} is another model here; install the same version on every machine")
        return open_pipeline(job.options, Classifier(open_backend(path, job.options.threads or 1)))
    except EmotionError as error:  # its subclasses do not survive the way back
        raise EmotionError(f"a worker on {platform.node()} cannot read pictures: {error}") from None


def _sha256(model: Path) -> str:
    return hashlib.sha256(read_model_bytes(model)).hexdigest()


def _read(job: Job, pipeline: Pipeline, picture: Picture) -> Outcome:
    try:
        image, has_more = load_picture(job.load, picture.file)
    except SourceError as error:
        return Outcome(error=str(error), is_decoded=False)
    try:
        readings = pipeline.step(Frame(0, 0.0, time.monotonic(), image, picture.name))
    except SourceError as error:
        return Outcome(error=str(error), has_more=has_more)
    return Outcome(readings, has_more=has_more)
