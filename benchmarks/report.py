"""results.json -> the blocks of the report: every figure in it comes from this run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks import host
from benchmarks.blocks import Block, Heading, Picture, Table, Text
from benchmarks.loop import STAGES, WIDEST
from edge.labels import EMOTIONS

Results = dict[str, Any]
CERTAIN = 0.05  # McNemar's p below which a difference is called more than chance


def blocks(results: Results, pictures: dict[str, Picture]) -> list[Block]:
    """The whole report. `pictures` by name (benchmarks.plots); where there are none, it does without, with a word."""
    described, models = results["host"], results["models"]
    found: list[Block] = [
        Heading(f"Benchmark: {described['board'] or described['processor'] or described['machine']}", 1),
        verdict(results),
        Text(_machine(described)),
        Text(_state(described, results["host_after"])),
        *(Text(f"**{warning}**") for warning in _warnings(results)),
        Heading("Models side by side"),
        overview(results),
        Text(_overview_notes(results)),
        *_shown(pictures, "accuracy_latency", "latency"),
        _latency(models),
        Text(_latency_notes(results)),
    ]
    if results["dataset"]:
        found += [Heading("What quantization cost"), *map(Text, _costs(models)), _truth(models)]
        found += [Text(_dataset(results["dataset"])), _recalls(models), *_shown(pictures, "recall", "confusion")]
    else:
        found.append(Text("No data set was at hand: this report is about speed alone (give one with `--data`)."))
    found += [Heading("The loop"), flat_out(results["pipeline"]), Text(_loop_notes(results))]
    found += [*_shown(pictures, "stages"), _live(results["pipeline"]), Text(_live_notes(results))]
    if results["sustained"]:
        found += [Heading("Minutes on end"), Text(_sustained(results["sustained"])), *_shown(pictures, "sustained")]
    found += [Heading("How to get these figures again"), Text(f"`{results['command']}`"), _files(models)]
    if not pictures:
        found.append(Text("No pictures: matplotlib is not installed (`pip install matplotlib`)."))
    return found


def _shown(pictures: dict[str, Picture], *names: str) -> Iterator[Picture]:
    yield from (pictures[name] for name in names if name in pictures)


def verdict(results: Results) -> Text:
    """Which file to deploy, and why."""
    models = results["models"]
    model = models[results["deploy"]]
    text = f"Deploy `{model['name']}`: {model['latency_ms']['1']['p50']:.3f} ms a face on one thread"
    if len(models) == 1:
        return Text(f"`{model['name']}`: {text.split(': ', 1)[1]}, {megabytes(model)} MB.")
    near = "the fastest within one point of the best accuracy"
    text += f", {megabytes(model)} MB, {near}"
    return Text(f"{text} {'measured here' if results['dataset'] else 'on the cards (no data set was at hand)'}.")


def megabytes(model: dict[str, Any]) -> str:
    return f"{model['size_bytes'] / 1e6:.2f}"


def _machine(described: dict[str, Any]) -> str:
    parts = [described["processor"] or described["machine"], f"{described['cores']} cores"]
    parts += [f"{described['memory_mb']} MB"] if described["memory_mb"] else []
    parts += [described["system"], f"Python {described['python']}"]
    return ", ".join(parts + [f"{name} {version}" for name, version in described["packages"].items()]) + "."


def _state(before: dict[str, Any], after: dict[str, Any]) -> str:
    """What may have changed meanwhile; `not told` where the system does not say."""
    warm, clock = (
        " to ".join(_number(state[name], ".0f").replace("-", "not told") for state in (before, after))
        for name in ("temperature_c", "clock_mhz")
    )
    held = [
        ", ".join(state["throttled"] or ["no"]) if state["throttled"] is not None else "not told"
        for state in (before, after)
    ]
    return (
        f"Before and after: temperature {warm} °C, clock {clock} MHz, held back: {held[0]}; {held[1]}. Governor: "
        f"{before['governor'] or 'not told'}. Cores used by others before the run: "
        f"{_number(before['used_by_others'], '.0%').replace('-', 'not told')}."
    )


def _warnings(results: Results) -> Iterator[str]:
    described = results["host"]
    if described["governor"] not in (None, "performance"):
        yield f"The CPU governor is `{described['governor']}`, not `performance`: times vary with the clock."
    if (used := described["used_by_others"]) is not None and used > host.BUSY:
        yield f"Others used {used:.0%} of the cores before the run: trust ratios, not times."
    if held := {*(described["throttled"] or ()), *(results["host_after"]["throttled"] or ())}:
        yield f"The machine was held back: {', '.join(sorted(held))}."
    for model in results["models"]:
        for threads, times in model["latency_ms"].items():
            needed = times["warm_up"]["needed"]
            if needed is None:
                given = times["warm_up"]["given"]
                yield f"`{model['name']}` was still settling after {given} inferences on {threads} thread(s)."


def overview(results: Results) -> Table:
    """A row a model: what most people want to know."""
    head = ["model", "precision", "runtime", "MB", "load ms", "cold ms", "resident MB", "ms (95%), 1 thread"]
    head += ["times as fast"]
    head += ["accuracy (95%)", "agreement"] if results["dataset"] else []
    rows = []
    for model in results["models"]:
        times = model["latency_ms"]["1"]
        row = [f"`{model['name']}`", model["precision"], model["runtime"], megabytes(model)]
        row += [f"{model['load_ms']:.1f}", f"{model['cold_ms']:.0f}", _number(model["rss_mb"], ".0f")]
        row += [_with_interval(times["p50"], times["p50_ci95"], ".3f"), _ratio(times["times_as_fast_as_base"])]
        if results["dataset"]:
            row += [_with_interval(model["accuracy"], model["accuracy_ci95"], ".1%")]
            row += [_number(model.get("agreement_with_float"), ".2%")]
        rows.append(row)
    return Table(head, rows)


def _overview_notes(results: Results) -> str:
    empty = next((model["rss_empty_mb"] for model in results["models"] if model["rss_empty_mb"]), None)
    without = f" ({empty:.0f} MB of it without runtime and model)" if empty else ""
    return (
        "Each model in a process of its own; memory and loading are medians of fresh processes. Resident: with the "
        f"runtime and the model, after one inference{without}. Cold: importing the runtime, loading, one inference; "
        "load: the file once more. Times as fast, and agreement: against the float32 file of the same Keras model and "
        "format, where it is among these."
    )


def _latency(models: list[dict[str, Any]]) -> Table:
    head = ["model", "threads", "p50 ms (95%)", "p95 ms (95%)", "p99 ms (95%)", "a second", "times as fast as float32"]
    head += ["GMAC/s", "of the peak"]
    rows = []
    for model in models:
        for threads, times in model["latency_ms"].items():
            row = [f"`{model['name']}`", threads]
            row += [_with_interval(times[name], times[f"{name}_ci95"], ".3f") for name in ("p50", "p95", "p99")]
            row += [f"{times['per_second']:.0f}", _ratio(times["times_as_fast_as_base"])]
            rate = model["macs"] / times["p50"] / 1e6 if model["macs"] else None
            rows.append([*row, _number(rate, ".1f"), _number(times["share_of_peak"], ".0%")])
    return Table(head, rows)


def _latency_notes(results: Results) -> str:
    peaks = ", ".join(f"{peak / 1e9:.0f} GMAC/s on {count}" for count, peak in results["peak_macs_per_s"].items())
    models = results["models"]
    macs = sorted({f"{model['macs'] / 1e6:.0f} million" for model in models if model["macs"]})
    times = models[0]["latency_ms"]["1"]
    needed = [model["latency_ms"]["1"]["warm_up"]["needed"] for model in models]
    most = "more than were given" if None in needed else f"at most {max(needed)}"
    text = (
        f"One face, {times['runs']} timed inferences a model and number of threads, in rounds of turns, each after "
        "three untimed ones; none of the timed ones is left out. The intervals come from drawing whole rounds again; a "
        "percentile with fewer than twenty times beyond it has none, one with fewer than five is not "
        f"shown. Warm-up: {times['warm_up']['given']} inferences, of which {most} were needed on one thread. The peak "
        f"is the best product of two float32 matrices in this run, by threads: {peaks}; int8 may exceed it."
    )
    return f"{text} Multiply-adds (MAC) of an inference: {', '.join(macs)}." if macs else text


def _costs(models: list[dict[str, Any]]) -> Iterator[str]:
    """What quantization did to each model, in words; the emotion that it hurt most is named."""
    for model in models:
        base = _base(model, models)
        if base is None:
            continue
        change = 100 * (model["accuracy"] - base["accuracy"])
        size = model["size_bytes"] / base["size_bytes"]
        yield (
            f"`{model['name']}` against `{base['name']}`: {_speed(model)}, {size:.2f} of its size, accuracy "
            f"{change:+.2f} points ({_doubt(model['mcnemar_p'])}), the same emotion on "
            f"{model['agreement_with_float']:.2%} of the faces. {_hurt(model['recall_change'])}"
        )


def _hurt(changes: dict[str, dict[str, float]]) -> str:
    """The emotion that lost most; the worst of seven is judged more strictly than one."""
    worst = min(EMOTIONS, key=lambda emotion: changes[emotion]["points"])
    if changes[worst]["points"] >= 0:
        return "No emotion lost recall."
    doubt = _doubt(changes[worst]["mcnemar_p"], CERTAIN / len(EMOTIONS))
    return f"Hurt most: {worst}, recall {changes[worst]['points']:+.1f} points ({doubt})."


def _speed(model: dict[str, Any]) -> str:
    """Against the base on one thread, as surely as was measured."""
    ratio = model["latency_ms"]["1"]["times_as_fast_as_base"]
    low, high = ratio["ci95"] or (ratio["value"], ratio["value"])
    if low <= 1 <= high:
        return f"no difference in speed shown ({low:.2f} to {high:.2f} times as fast)"
    return (
        f"{ratio['value']:.2f} times as fast"
        if low > 1
        else f"**slower here, {1 / ratio['value']:.2f} times its time**"
    )


def _doubt(p: float, certain: float = CERTAIN) -> str:
    return f"{'more than chance explains' if p < certain else 'within chance'}, McNemar's p = {p:.2g}"


def _base(model: dict[str, Any], models: list[dict[str, Any]]) -> dict[str, Any] | None:
    return next((other for other in models if other["file"] == model["base"]), None)


def _truth(models: list[dict[str, Any]]) -> Table:
    head = ["model", "accuracy (95%)", "not in training", "macro F1", "calibration error", "agreement", "McNemar p"]
    rows = [
        [
            f"`{model['name']}`",
            _with_interval(model["accuracy"], model["accuracy_ci95"], ".2%"),
            _number(model["accuracy_not_in_training"], ".2%"),
            f"{model['macro_f1']:.3f}",
            f"{model['calibration_error']:.3f}",
            _number(model.get("agreement_with_float"), ".2%"),
            _number(model.get("mcnemar_p"), ".2g"),
        ]
        for model in models
    ]
    return Table(head, rows)


def _dataset(dataset: dict[str, Any]) -> str:
    return (
        f"Faces: {dataset['faces']} of `{dataset['path']}`, split {dataset['split']} (PublicTest, on which the epoch "
        f"was chosen), the same for every model. {dataset['also_in_training']} of them are pixel for pixel in the "
        "training split too; `not in training` is without these. Recall by emotion, and its change from float32 in "
        "points:"
    )


def _recalls(models: list[dict[str, Any]]) -> Table:
    rows = []
    for emotion in EMOTIONS:
        row = [emotion, str(models[0]["per_class"][emotion]["faces"])]
        for model in models:
            change = f" ({model['recall_change'][emotion]['points']:+.1f})" if model["base"] else ""
            row.append(f"{model['per_class'][emotion]['recall']:.1%}{change}")
        rows.append(row)
    return Table(["emotion", "faces", *(f"`{model['name']}`" for model in models)], rows)


def flat_out(cells: list[dict[str, Any]]) -> Table:
    """A row a cell: how fast the loop can go."""
    peer = any(cell["times_as_fast_as_peer"] for cell in cells)
    head = ["model", "detector", "frame", "scene", "FPS (95%)", "ms", *STAGES, "limit ms", "times its limit"]
    head += ["fer ms", "times as fast as fer"] if peer else []
    rows = []
    for cell in cells:
        row = [*_about(cell), _with_interval(cell["fps"], cell["fps_ci95"], ".0f"), f"{cell['ms']:.2f}"]
        row += [f"{cell['stages_ms'][stage]:.2f}" for stage in STAGES]
        row += [f"{cell['limit_ms']:.2f}", _ratio(cell["limit_ratio"])]
        row += [_number(cell["peer_ms"], ".1f"), _ratio(cell["times_as_fast_as_peer"], ".1f")] if peer else []
        rows.append(row)
    return Table(head, rows)


def _about(cell: dict[str, Any]) -> list[str]:
    return [f"`{cell['model']}`", cell["detector"], "x".join(map(str, cell["resolution"])), faces(cell)]


def faces(cell: dict[str, Any]) -> str:
    return "1 face" if cell["scene"] == 1 else f"{cell['scene']} faces"


def _loop_notes(results: Results) -> str:
    start, clip, first = results["start"], results["clip"], results["pipeline"][0]
    return (
        f"`{clip['source']}`, {clip['frames']} frames, {first['passes']} times over; it is brought to at most "
        f"{WIDEST} pixels, then cut to the frame's shape and size; four faces: four of its moments side by side. As "
        "fast as frames can be had: detection or following, classification and smoothing, in ms a frame, without "
        "reading, drawing and outputs. Limit: the detector's and the classifier's library calls alone, in the same "
        "run, by turns; a peer has its turns in the first pass. From the start of the program to its end after one "
        f"reading: {start['seconds']:.2f} s" + (f", {start['rss_mb']:.0f} MB." if start["rss_mb"] else ".")
    )


def _live(cells: list[dict[str, Any]]) -> Table:
    head = ["model", "detector", "frame", "scene", "faces found", "FPS", "age p50 ms", "age p95 ms", "dropped"]
    head += ["cores used"]
    rows = []
    for cell in cells:
        live, camera = cell["live"], cell["live"]["camera_fps"]
        row = [*_about(cell), f"{live['faces_a_frame']:.2f}", f"{live['fps']:.1f} of {camera:.0f}"]
        row += [_number(live["age_ms"][name], ".1f") for name in ("p50", "p95")]
        rows.append([*row, str(live["dropped"]), f"{live['cores_used']:.2f}"])
    return Table(head, rows)


def _live_notes(results: Results) -> str:
    return (
        f"The same frames as a camera would give them, {results['pipeline'][0]['live']['camera_fps']:.0f} a second, "
        "the newest one wins. Age: from the moment the camera gave the picture to its reading. Cores used: processor "
        "time over time, the source's thread included."
    )


def _sustained(sustained: dict[str, Any]) -> str:
    points = sustained["points"]
    text = (
        f"{' '.join(_about(sustained))}, at full speed: {sustained['frames']} frames in {points[-1]['at_s'] / 60:.2f} "
        f"minutes, {sustained['first_fps']:.0f} FPS in the first tenth, {sustained['last_fps']:.0f} in the last"
    )
    for name, unit in (("temperature_c", "°C"), ("clock_mhz", "MHz"), ("rss_mb", "MB")):
        if points[0][name] is not None:
            text += f"; {points[0][name]:.0f} {unit} at the start, {points[-1][name]:.0f} at the end"
    held = sorted({why for point in points for why in point["throttled"] or ()})
    return f"{text}.{' **Held back by: ' + ', '.join(held) + '.**' if held else ''}"


def _files(models: list[dict[str, Any]]) -> Table:
    rows = [[f"`{model['name']}`", f"`{model['file']}`", f"`{model['sha256'][:16]}...`"] for model in models]
    return Table(["model", "file", "sha256"], rows)


def _with_interval(value: float | None, interval: list[float] | None, form: str) -> str:
    if value is None:
        return "-"
    return f"{value:{form}}" + (f" ({interval[0]:{form}} to {interval[1]:{form}})" if interval else "")


def _ratio(ratio: dict[str, Any] | None, form: str = ".2f") -> str:
    return _with_interval(ratio["value"], ratio["ci95"], form) if ratio else "-"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else f"{value:{form}}"
