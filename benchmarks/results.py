"""Define the results of a benchmark, which results.json contains.

Its field names and nesting are a contract, since reports of different versions are compared: fields are added (with a
default, so that older files can still be read), never renamed or removed. Units are in the names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, TypeAlias, TypeVar

from benchmarks.codec import INLINE, Suffix
from edge.host import Host, Sensors

T = TypeVar("T")
Interval: TypeAlias = tuple[float, float]
Inline: TypeAlias = Annotated[T, INLINE]
WithInterval: TypeAlias = Annotated[T, Suffix("ci95")]
WithRange: TypeAlias = Annotated[T, Suffix("range")]

PIPELINE_STAGES = ("detect", "classify", "smooth")  # of edge.meter.STAGES: those of Pipeline.step


@dataclass(frozen=True)
class Estimate:
    """Hold a value and its 95% confidence interval; None if there are too few measurements for one."""

    value: float
    ci95: Interval | None


@dataclass(frozen=True)
class Repeated:
    """Hold the median of a few repetitions, and their range."""

    value: float
    range: Interval | None


@dataclass(frozen=True)
class ModelInfo:
    """Describe a model file. `base` is the float32 file of the same Keras model and format."""

    file: str
    format: str  # tflite or onnx
    precision: str
    runtime: str
    size_bytes: int
    sha256: str
    keras_sha256: str
    macs: int | None
    accuracy_on_card: float | None
    name: str
    base: str | None
    targets: str = "labels"  # of the training, or votes; older reports do not name them


@dataclass(frozen=True)
class ClassScores:
    precision: float
    recall: float
    f1: float
    auc: float | None
    faces: int


@dataclass(frozen=True)
class Scores:
    """Hold the accuracy of a model on the data set's faces."""

    faces: int
    accuracy: WithInterval[Estimate]
    macro_f1: float
    calibration_error: float
    per_class: dict[str, ClassScores]
    confusion: tuple[tuple[int, ...], ...]  # [7, 7], rows are the true emotions
    predictions: str  # one digit per face, so that two reports can be compared face by face
    accuracy_not_in_training: float | None


@dataclass(frozen=True)
class RecallChange:
    points: float
    mcnemar_p: float


@dataclass(frozen=True)
class QuantizationChange:
    """Describe how the predictions differ from those of the float32 file, on the same faces."""

    agreement_with_float: float
    mcnemar_p: float
    recall_change: dict[str, RecallChange]


@dataclass(frozen=True)
class Loading:
    """Hold medians of fresh processes. Resident memory (`rss`) is None where the system does not report it."""

    load_ms: WithRange[Repeated]
    cold_ms: WithRange[Repeated]  # importing the runtime, loading, one inference
    rss_mb: WithRange[Repeated | None]
    rss_empty_mb: WithRange[Repeated | None]  # before the runtime and the model


@dataclass(frozen=True)
class WarmUp:
    """Describe the first inferences; for `needed` and `first_to_rest` see benchmarks.measure.estimates."""

    given: int
    first_ms: float
    needed: int | None
    first_to_rest: float


@dataclass(frozen=True)
class Latency:
    """Hold the times of one inference in ms; percentiles with too few measurements beyond them are None."""

    p50: WithInterval[Estimate]
    p95: WithInterval[Estimate | None]
    p99: WithInterval[Estimate | None]
    runs: int
    per_second: float
    quantiles: tuple[float, ...]  # 0, 1, ..., 100%
    warm_up: WarmUp
    share_of_peak: float | None
    times_as_fast_as_base: Estimate | None


@dataclass(frozen=True)
class ModelResult:
    """Hold the results of a model. `latency_ms` is by number of threads; scores are None without a data set."""

    info: Inline[ModelInfo]
    scores: Inline[Scores | None]
    change: Inline[QuantizationChange | None]
    loading: Inline[Loading]
    latency_ms: dict[str, Latency]

    @property
    def name(self) -> str:
        return self.info.name

    @property
    def single_thread(self) -> Latency:
        return self.latency_ms["1"]


@dataclass(frozen=True)
class Dataset:
    """Describe the faces that accuracy is measured on; `labels` has one digit per face."""

    split: str
    faces: int
    sha256: str
    also_in_training: int
    labels: str
    path: str
    name: str = ""  # older reports do not have it


@dataclass(frozen=True)
class ClipInfo:
    source: str
    frames: int
    fps: float
    sha256: str  # of all pixels


@dataclass(frozen=True)
class StartUp:
    """Hold the time from the start of the program to its end after one reading, and its memory."""

    seconds: WithRange[Repeated]
    rss_mb: float | None
    detector: str = "haar"  # older reports do not name it


@dataclass(frozen=True)
class CaseInfo:
    """Describe a configuration: `resolution` is (width, height) in pixels, `scene` the number of faces."""

    model: str
    detector: str
    resolution: tuple[int, int]
    scene: int


@dataclass(frozen=True)
class Ages:
    """Hold percentiles of the time from capture to reading in ms; None if there are too few frames."""

    p50: float | None
    p95: float | None


@dataclass(frozen=True)
class LiveResult:
    """Hold the results on a camera; `fps` is that of the readings, `cores_used` CPU time over time."""

    camera_fps: float
    fps: float
    age_ms: Ages
    frames: int
    faces_a_frame: float
    dropped: int
    cores_used: float


@dataclass(frozen=True)
class PipelineResult:
    """Hold the throughput of a case, as means per frame; `limit`: the lower bound, the library calls alone."""

    case: Inline[CaseInfo]
    frames: int
    passes: int
    ms: float
    fps: WithInterval[Estimate]
    stages_ms: dict[str, float]
    limit_ms: float
    limit_ratio: Estimate
    peer_ms: float | None
    times_as_fast_as_peer: Estimate | None
    live: LiveResult


@dataclass(frozen=True)
class Point:
    """Hold a point of the sustained-load curve."""

    at_s: float
    fps: float
    rss_mb: float | None
    sensors: Inline[Sensors]


@dataclass(frozen=True)
class Sustained:
    case: Inline[CaseInfo]
    frames: int
    first_fps: float  # mean of the first tenth
    last_fps: float  # and of the last
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Results:
    """Hold all of results.json. `deploy` is the index of the recommended model."""

    command: str
    host: Host
    models: tuple[ModelResult, ...]
    dataset: Dataset | None
    peak_macs_per_s: dict[str, float]  # by number of threads
    deploy: int
    clip: ClipInfo
    start: StartUp
    pipeline: tuple[PipelineResult, ...]
    sustained: Sustained | None
    host_after: Sensors
    quick: bool = False
    left_out: tuple[str, ...] = ()  # what could not be measured here, with the reason and the pip command

    @property
    def recommended(self) -> ModelResult:
        return self.models[self.deploy]

    def base_of(self, model: ModelResult) -> ModelResult | None:
        """Return the float32 model that `model` is compared with, if it is among these."""
        return next((other for other in self.models if other.info.file == model.info.base), None)
