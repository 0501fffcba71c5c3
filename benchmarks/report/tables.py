"""Build the tables of the report from the results."""

from __future__ import annotations

from benchmarks.report.blocks import Table
from benchmarks.results import PIPELINE_STAGES, CaseInfo, Estimate, ModelInfo, PipelineResult, Results
from edge.labels import EMOTIONS


def models(results: Results) -> Table:
    """Return one row per model with the values that matter most."""
    head = ["model", "precision", "runtime", "size MB", "load ms", "cold start ms", "memory MB"]
    head += ["latency ms (95%), 1 thread", "speedup"]
    head += ["accuracy (95%)", "agreement"] if results.dataset else []
    rows = []
    for model in results.models:
        info = model.info
        loading = model.loading
        times = model.single_thread
        row = [f"`{info.name}`", info.precision, info.runtime, megabytes(info), f"{loading.load_ms.value:.1f}"]
        row += [f"{loading.cold_ms.value:.0f}", number(loading.rss_mb.value if loading.rss_mb else None, ".0f")]
        row += [estimate(times.p50, ".3f"), estimate(times.times_as_fast_as_base)]
        if model.scores:
            row += [estimate(model.scores.accuracy, ".1%")]
            row += [number(model.change.agreement_with_float if model.change else None, ".2%")]
        rows.append(row)
    return Table(head, rows)


def latency(results: Results) -> Table:
    """Return one row per model and number of threads."""
    head = ["model", "threads", "p50 ms (95%)", "p95 ms (95%)", "p99 ms (95%)", "inferences/s", "speedup over float32"]
    head += ["GMAC/s", "share of peak"]
    rows = []
    for model in results.models:
        macs = model.info.macs
        for threads, times in model.latency_ms.items():
            row = [f"`{model.name}`", threads, *(estimate(p, ".3f") for p in (times.p50, times.p95, times.p99))]
            row += [f"{times.per_second:.0f}", estimate(times.times_as_fast_as_base)]
            row += [number(macs / times.p50.value / 1e6 if macs else None, ".1f"), number(times.share_of_peak, ".0%")]
            rows.append(row)
    return Table(head, rows)


def accuracy(results: Results) -> Table:
    """Return one row per model; all of them need scores."""
    head = ["model", "accuracy (95%)", "not in training", "macro F1", "calibration error", "agreement", "McNemar p"]
    rows = [
        [
            f"`{model.name}`",
            estimate(model.scores.accuracy, ".2%"),
            number(model.scores.accuracy_not_in_training, ".2%"),
            f"{model.scores.macro_f1:.3f}",
            f"{model.scores.calibration_error:.3f}",
            number(model.change.agreement_with_float if model.change else None, ".2%"),
            number(model.change.mcnemar_p if model.change else None, ".2g"),
        ]
        for model in results.models
        if model.scores
    ]
    return Table(head, rows)


def recall(results: Results) -> Table:
    """Return one row per emotion, one column per model, with the change from float32 in points."""
    scores = [(model.scores.per_class, model.change) for model in results.models if model.scores]
    rows = []
    for emotion in EMOTIONS:
        row = [emotion, str(scores[0][0][emotion].faces)]
        for by_class, change in scores:
            points = f" ({change.recall_change[emotion].points:+.1f})" if change else ""
            row.append(f"{by_class[emotion].recall:.1%}{points}")
        rows.append(row)
    return Table(["emotion", "faces", *(f"`{model.name}`" for model in results.models)], rows)


def throughput(results: Results) -> Table:
    """Return one row per case: how fast the pipeline can run."""
    has_peer = any(result.times_as_fast_as_peer for result in results.pipeline)
    head = [*CASE_HEAD, "FPS (95%)", "ms per frame", *PIPELINE_STAGES, "lower bound ms", "ratio to lower bound"]
    head += ["fer ms", "speedup over fer"] if has_peer else []
    rows = []
    for result in results.pipeline:
        row = [*case(result.case), estimate(result.fps, ".0f"), f"{result.ms:.2f}"]
        row += [f"{result.stages_ms[stage]:.2f}" for stage in PIPELINE_STAGES]
        row += [f"{result.limit_ms:.2f}", estimate(result.limit_ratio)]
        row += [number(result.peer_ms, ".1f"), estimate(result.times_as_fast_as_peer, ".1f")] if has_peer else []
        rows.append(row)
    return Table(head, rows)


def live(results: Results) -> Table:
    """Return one row per case: how the pipeline does on a camera."""
    head = [*CASE_HEAD, "faces detected", "FPS", "frame age p50 ms", "frame age p95 ms", "dropped", "cores used"]
    return Table(head, [_live_row(result) for result in results.pipeline])


def _live_row(result: PipelineResult) -> list[str]:
    live = result.live
    row = [*case(result.case), f"{live.faces_a_frame:.2f}", f"{live.fps:.1f} of {live.camera_fps:.0f}"]
    row += [number(live.age_ms.p50, ".1f"), number(live.age_ms.p95, ".1f")]
    return [*row, str(live.dropped), f"{live.cores_used:.2f}"]


def files(results: Results) -> Table:
    infos = [model.info for model in results.models]
    rows = [[f"`{info.name}`", f"`{info.file}`", f"`{info.sha256[:16]}...`"] for info in infos]
    return Table(["model", "file", "sha256"], rows)


CASE_HEAD = ("model", "detector", "resolution", "scene")


def case(info: CaseInfo) -> list[str]:
    """Return the cells of CASE_HEAD."""
    scene = "1 face" if info.scene == 1 else f"{info.scene} faces"
    return [f"`{info.model}`", info.detector, f"{info.resolution[0]}x{info.resolution[1]}", scene]


def megabytes(info: ModelInfo) -> str:
    return f"{info.size_bytes / 1e6:.2f}"


def estimate(estimate: Estimate | None, form: str = ".2f") -> str:
    """Format a value with its interval, if it has one."""
    if estimate is None:
        return "-"
    value = f"{estimate.value:{form}}"
    return f"{value} ({estimate.ci95[0]:{form}} to {estimate.ci95[1]:{form}})" if estimate.ci95 else value


def number(value: float | None, form: str) -> str:
    return "-" if value is None else f"{value:{form}}"
