"""Build the tables of the report from the results."""

from __future__ import annotations

from benchmarks.results import PIPELINE_STAGES, CaseInfo, Estimate, ModelInfo, PipelineResult, Results
from edge.labels import EMOTIONS
from train.tables import Cell, Number, Table, code, without_markup


def build_tables(results: Results) -> dict[str, Table]:
    """Return the tables of the report by name."""
    tables = {"models": models(results), "latency": latency(results), "loading": loading(results)}
    if results.dataset:
        tables |= {"accuracy": accuracy(results), "recall": recall(results)}
    return tables | {"throughput": throughput(results), "live": live(results), "files": files(results)}


def models(results: Results) -> Table:
    """Return one row per model with the values that matter most, and that papers report."""
    head = ["model", "precision", "runtime", "size MB", "latency ms, 1 thread (95%)", "speedup (95%)"]
    head += ["accuracy (95%)", "macro F1", "calibration error"] if results.dataset else []
    rows = []
    for model in results.models:
        info = model.info
        times = model.single_thread
        row: list[Cell] = [code(info.name), info.precision, info.runtime, megabytes(info)]
        row += [estimate(times.p50, ".3f"), estimate(times.times_as_fast_as_base)]
        if scores := model.scores:
            row += [estimate(scores.accuracy, ".2%")]
            row += [Number(scores.macro_f1, ".3f"), Number(scores.calibration_error, ".3f")]
        rows.append(row)
    return Table(head, rows)


def loading(results: Results) -> Table:
    """Return one row per model: how long it takes to load, and its memory."""
    rows = []
    for model in results.models:
        item = model.loading
        row: list[Cell] = [code(model.name), Number(item.load_ms.value, ".1f"), Number(item.cold_ms.value, ".0f")]
        rows.append([*row, Number(item.rss_mb.value if item.rss_mb else None, ".0f")])
    return Table(["model", "load ms", "cold start ms", "memory MB"], rows)


def latency(results: Results) -> Table:
    """Return one row per model and number of threads."""
    head = ["model", "threads", "p50 ms (95%)", "p95 ms (95%)", "p99 ms (95%)", "inferences/s"]
    head += ["speedup over float32 (95%)", "GMAC/s", "share of peak"]
    rows = []
    for model in results.models:
        macs = model.info.macs
        for threads, times in model.latency_ms.items():
            row: list[Cell] = [code(model.name), Number(int(threads))]
            row += [estimate(p, ".3f") for p in (times.p50, times.p95, times.p99)]
            row += [Number(times.per_second, ".0f"), estimate(times.times_as_fast_as_base)]
            row += [Number(macs / times.p50.value / 1e6 if macs else None, ".1f"), Number(times.share_of_peak, ".0%")]
            rows.append(row)
    return Table(head, rows)


def accuracy(results: Results) -> Table:
    """Return one row per model; all of them need scores."""
    head = ["model", "accuracy (95%)", "not in training", "macro F1", "calibration error", "agreement", "McNemar p"]
    rows: list[list[Cell]] = [
        [
            code(model.name),
            estimate(model.scores.accuracy, ".2%"),
            Number(model.scores.accuracy_not_in_training, ".2%"),
            Number(model.scores.macro_f1, ".3f"),
            Number(model.scores.calibration_error, ".3f"),
            Number(model.change.agreement_with_float if model.change else None, ".2%"),
            Number(model.change.mcnemar_p if model.change else None, ".2g"),
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
        row: list[Cell] = [emotion, Number(scores[0][0][emotion].faces)]
        for by_class, change in scores:
            points = f" ({change.recall_change[emotion].points:+.1f})" if change else ""
            row.append(Number(by_class[emotion].recall, ".1%", note=points))
        rows.append(row)
    return Table(["emotion", "faces", *(code(model.name) for model in results.models)], rows)


def throughput(results: Results) -> Table:
    """Return one row per case: how fast the pipeline can run."""
    has_peer = any(result.times_as_fast_as_peer for result in results.pipeline)
    head = [*CASE_HEAD, "FPS (95%)", "ms per frame", *PIPELINE_STAGES, "lower bound ms"]
    head += ["ratio to lower bound (95%)", *(["fer ms", "speedup over fer (95%)"] if has_peer else [])]
    rows = []
    for result in results.pipeline:
        row = [*case(result.case), estimate(result.fps, ".0f"), Number(result.ms, ".2f")]
        row += [Number(result.stages_ms[stage], ".2f") for stage in PIPELINE_STAGES]
        row += [Number(result.limit_ms, ".2f"), estimate(result.limit_ratio)]
        row += [Number(result.peer_ms, ".1f"), estimate(result.times_as_fast_as_peer, ".1f")] if has_peer else []
        rows.append(row)
    return Table(head, rows)


def live(results: Results) -> Table:
    """Return one row per case: how the pipeline does on a camera."""
    head = [*CASE_HEAD, "faces detected", "FPS", "frame age p50 ms", "frame age p95 ms", "dropped", "cores used"]
    return Table(head, [_live_row(result) for result in results.pipeline])


def _live_row(result: PipelineResult) -> list[Cell]:
    live = result.live
    row = [*case(result.case), Number(live.faces_a_frame, ".2f")]
    row += [Number(live.fps, ".1f", note=f" of {live.camera_fps:.0f}")]
    row += [Number(live.age_ms.p50, ".1f"), Number(live.age_ms.p95, ".1f")]
    return [*row, Number(live.dropped), Number(live.cores_used, ".2f")]


def files(results: Results) -> Table:
    infos = [model.info for model in results.models]
    rows = [[code(info.name), code(info.file), f"`{info.sha256[:16]}...`"] for info in infos]
    return Table(["model", "file", "sha256"], rows)


CASE_HEAD = ("model", "detector", "resolution", "scene")


def case(info: CaseInfo) -> list[Cell]:
    """Return the cells of CASE_HEAD."""
    scene = "1 face" if info.scene == 1 else f"{info.scene} faces"
    return [code(info.model), info.detector, f"{info.resolution[0]}x{info.resolution[1]}", scene]


def case_name(info: CaseInfo, separator: str = ", ") -> str:
    """Return the cells of CASE_HEAD as one text."""
    return separator.join(without_markup(str(cell)) for cell in case(info))


def megabytes(info: ModelInfo) -> Number:
    return Number(info.size_bytes / 1e6, ".2f")


def estimate(estimate: Estimate | None, form: str = ".2f") -> Number:
    """Return a value with its interval, if it has one."""
    return Number(estimate.value, form, estimate.ci95) if estimate else Number(None)
