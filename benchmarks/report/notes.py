"""Write the texts of the report from the results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from benchmarks.measure.clip import MAX_SIDE
from benchmarks.measure.estimates import MIN_BEYOND, MIN_BEYOND_FOR_INTERVAL
from benchmarks.measure.latency import UNTIMED_PER_TURN
from benchmarks.report import tables
from benchmarks.report.blocks import Text
from benchmarks.results import Dataset, ModelResult, RecallChange, Results, Sustained
from edge.host import BUSY, Host, Sensors
from edge.labels import EMOTIONS
from train.tables import code

SIGNIFICANCE = 0.05  # McNemar's p below which a difference is called significant
NO_CHARTS = "Left out: charts, which need matplotlib; run: `pip install '.[report]'`"
WARM_WITHIN = 0.05  # by which the first rounds may be slower than the rest


def recommendation(results: Results) -> Text:
    """Return which file to deploy, and why."""
    model = results.recommended
    latency = f"{model.single_thread.p50.value:.3f} ms per face on one thread"
    text = f"`{model.name}`: {latency}, {tables.megabytes(model.info)} MB"
    if len(results.models) == 1:
        return Text(f"{text}.")
    source = "measured here" if results.dataset else "on the model cards (there was no data set)"
    others = [code(other.name) for other in results.models if other.info.targets != model.info.targets]
    among = f" among the models trained on {model.info.targets}; not compared: {', '.join(others)}" if others else ""
    return Text(f"Deploy {text}. It is the fastest within one point of the best accuracy {source}{among}.")


def machine(host: Host) -> str:
    """Return processor, memory, system and package versions."""
    parts = [host["processor"] or host["machine"], f"{host['cores']} cores"]
    parts += [f"{host['memory_mb']} MB"] if host["memory_mb"] else []
    parts += [host["system"], f"Python {host['python']}"]
    return ", ".join(parts + [f"{name} {version}" for name, version in host["packages"].items()]) + "."


def state(host: Host, after: Sensors) -> str:
    """Return possible changes of the machine during the run, and facts that the system does not report."""
    load = host["used_by_others"]
    causes = throttling(host, after)
    facts = {
        "temperature": _before_and_after(host["temperature_c"], after["temperature_c"], "°C"),
        "clock": _before_and_after(host["clock_mhz"], after["clock_mhz"], "MHz"),
        "throttling": None if host["throttled"] is None else ", ".join(causes) or "none",
        "governor": host["governor"],
        "load by other programs": None if load is None else f"{load:.0%} of the cores",
    }
    reported = "; ".join(f"{name}: {value}" for name, value in facts.items() if value is not None)
    missing = ", ".join(name for name, value in facts.items() if value is None)
    sentences = [f"{reported[:1].upper()}{reported[1:]}."] if reported else []
    sentences += [f"Not reported by this system: {missing}."] if missing else []
    return " ".join(sentences)


def _before_and_after(before: float | None, after: float | None, unit: str) -> str | None:
    return None if before is None or after is None else f"{before:.0f} {unit} before, {after:.0f} {unit} after"


def throttling(*sensors: Sensors) -> list[str]:
    return sorted({cause for reading in sensors for cause in reading["throttled"] or ()})


def limits(results: Results) -> Iterator[str]:
    """Yield what a quick run did not measure, and what could not be measured here."""
    if results.quick:
        resolutions = {result.case.resolution for result in results.pipeline}
        yield (
            f"A quick run: {results.models[0].single_thread.runs} timed inferences per model and number of threads, "
            f"{results.pipeline[0].passes} passes of {results.clip.frames} frames at {len(resolutions)} resolution(s), "
            f"detector {', '.join(sorted({result.case.detector for result in results.pipeline}))} alone. Intervals are "
            "wide; run it without `--quick` for figures to publish."
        )
    yield from (f"Left out: {reason}" for reason in results.left_out)


def warnings(results: Results) -> Iterator[str]:
    """Yield the reasons to distrust the results."""
    host = results.host
    if host["governor"] not in (None, "performance"):
        yield f"The CPU governor is `{host['governor']}`, not `performance`: times vary with the clock."
    if (load := host["used_by_others"]) is not None and load > BUSY:
        yield f"Other programs used {load:.0%} of the cores before the run: trust ratios, not times."
    if causes := throttling(host, results.host_after):
        yield f"The machine was throttled: {', '.join(causes)}."
    for model in results.models:
        for threads, times in model.latency_ms.items():
            if (first := times.warm_up.first_to_rest) > 1 + WARM_WITHIN:
                yield (
                    f"`{model.name}` on {threads} thread(s): the first tenth of the rounds took {first:.2f} times as "
                    "long as the rest. The warm-up was too short, or another program was running."
                )


def about_models() -> str:
    """Explain the table of models."""
    return (
        "Speedup is relative to the float32 file of the same Keras model and format, if it is among the models. "
        "Calibration error: the mean gap between confidence and accuracy, over ten equal bins."
    )


def about_loading(results: Results) -> str:
    """Explain the table of loading times and memory."""
    empty = next((item.loading.rss_empty_mb for item in results.models if item.loading.rss_empty_mb), None)
    before = f" ({empty.value:.0f} MB of it before both are loaded)" if empty else ""
    return (
        "Each model runs in a process of its own; memory and loading times are medians of fresh processes. Memory: "
        f"resident, with the runtime and the model, after one inference{before}. Cold start: import the runtime, load "
        "the model, run one inference. Load: load the file again."
    )


def about_latency(results: Results) -> str:
    """Explain the table of latencies."""
    warm_ups = [model.single_thread.warm_up for model in results.models]
    needed = [warm_up.needed for warm_up in warm_ups if warm_up.needed is not None]
    slow = f"at most {max(needed)}" if len(needed) == len(warm_ups) else "all"
    firsts = [warm_up.first_to_rest for warm_up in warm_ups]
    peaks = ", ".join(f"{peak / 1e9:.0f} GMAC/s on {count}" for count, peak in results.peak_macs_per_s.items())
    macs = sorted({f"{model.info.macs / 1e6:.0f} million" for model in results.models if model.info.macs})
    text = (
        f"One face per inference; {results.models[0].single_thread.runs} timed inferences per model and number of "
        f"threads. The models take turns in rounds; each turn begins with {UNTIMED_PER_TURN} untimed inferences, and "
        "no timed one is left out. Intervals come from resampling whole rounds (block bootstrap). A percentile with "
        f"fewer than {MIN_BEYOND_FOR_INTERVAL} measurements beyond it has no interval; with fewer than {MIN_BEYOND}, "
        f"it is not shown. Warm-up: {warm_ups[0].given} inferences; on one thread, {slow} of them were slow; the first "
        f"tenth of the rounds took {min(firsts):.2f} to {max(firsts):.2f} times as long as the rest. The peak is the "
        f"fastest product of two float32 matrices in this run, by threads: {peaks}; int8 may exceed it."
    )
    return f"{text} Multiply-adds (MAC) per inference: {', '.join(macs)}." if macs else text


def quantization(results: Results) -> Iterator[str]:
    """Yield the effect of quantization, for each model whose float32 file was measured too."""
    for model in results.models:
        base = results.base_of(model)
        if not (base and base.scores and model.scores and model.change):
            continue
        points = 100 * (model.scores.accuracy.value - base.scores.accuracy.value)
        yield (
            f"`{model.name}` compared with `{base.name}`: {_speedup(model)}, "
            f"{model.info.size_bytes / base.info.size_bytes:.2f} of the size, accuracy {points:+.2f} points "
            f"({_significance(model.change.mcnemar_p)}), the same prediction on "
            f"{model.change.agreement_with_float:.2%} of the faces. {_largest_loss(model.change.recall_change)}"
        )


def _speedup(model: ModelResult) -> str:
    """Compare the latency on one thread with that of the float32 file."""
    ratio = model.single_thread.times_as_fast_as_base
    if ratio is None:
        return "speed not compared"
    low, high = ratio.ci95 or (ratio.value, ratio.value)
    if low <= 1 <= high:
        return f"no significant difference in speed ({low:.2f} to {high:.2f} times as fast)"
    return f"{ratio.value:.2f} times as fast" if low > 1 else f"**slower: {1 / ratio.value:.2f} times the latency**"


def _largest_loss(changes: Mapping[str, RecallChange]) -> str:
    """Name the emotion that lost most recall; the worst of seven needs a lower p (Bonferroni)."""
    worst = min(EMOTIONS, key=lambda emotion: changes[emotion].points)
    if changes[worst].points >= 0:
        return "No emotion lost recall."
    significance = _significance(changes[worst].mcnemar_p, SIGNIFICANCE / len(EMOTIONS))
    return f"Largest loss: {worst}, recall {changes[worst].points:+.1f} points ({significance})."


def _significance(p: float, threshold: float = SIGNIFICANCE) -> str:
    return f"{'significant' if p < threshold else 'not significant'}, McNemar's p = {p:.2g}"


def about_dataset(dataset: Dataset) -> str:
    """Describe the faces that accuracy is measured on."""
    return (
        f"{dataset.faces} faces of {code(dataset.path)}, split {dataset.split}, the same for every model. Where "
        "a model's epoch was chosen on this split, its accuracy here is optimistic; the model card says so. "
        f"{dataset.also_in_training} of the faces are pixel for pixel in the training split too; `not in training` "
        "excludes them. Recall by emotion, with the change from float32 in points:"
    )


def about_throughput(results: Results) -> str:
    """Explain the table of throughput."""
    clip = results.clip
    start = results.start
    memory = f", {start.rss_mb:.0f} MB" if start.rss_mb else ""
    return (
        f"`{clip.source}`, {clip.frames} frames, {results.pipeline[0].passes} passes. Frames are shrunk to at most "
        f"{MAX_SIDE} pixels, then cropped and resized to the resolution; four faces: four moments of the clip in a "
        "grid. Times are means per frame, without reading, drawing and outputs. Lower bound: the library calls of the "
        "detector and the classifier alone, in the same run, by turns; `fer` takes its turns in the first pass. "
        f"Start-up, from the start of the program to its end after one reading: {start.seconds.value:.2f} s{memory}."
    )


def about_live(results: Results) -> str:
    """Explain the table of the live camera."""
    return (
        f"The same frames as from a camera at {results.pipeline[0].live.camera_fps:.0f} FPS, where the newest frame "
        "wins. Frame age: the time from capture to reading. Cores used: CPU time over time, including the thread of "
        "the source."
    )


def sustained_load(sustained: Sustained) -> str:
    """Compare the beginning of the run at full load with its end."""
    first = sustained.points[0]
    last = sustained.points[-1]
    text = (
        f"{' '.join(map(str, tables.case(sustained.case)))}, at full load: {sustained.frames} frames in "
        f"{last.at_s / 60:.2f} minutes, {sustained.first_fps:.0f} FPS in the first tenth, "
        f"{sustained.last_fps:.0f} FPS in the last"
    )
    for before, after, unit in (
        (first.sensors["temperature_c"], last.sensors["temperature_c"], "°C"),
        (first.sensors["clock_mhz"], last.sensors["clock_mhz"], "MHz"),
        (first.rss_mb, last.rss_mb, "MB"),
    ):
        if before is not None and after is not None:
            text += f"; {before:.0f} {unit} at the start, {after:.0f} {unit} at the end"
    causes = throttling(*(point.sensors for point in sustained.points))
    return f"{text}.{' **Throttled: ' + ', '.join(causes) + '.**' if causes else ''}"
