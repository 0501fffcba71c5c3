"""results.json -> the blocks of the report: every figure in it comes from this run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.measure.loop import WIDEST
from benchmarks.report import tables
from benchmarks.report.blocks import Block, Heading, Picture, Text
from edge import host
from edge.labels import EMOTIONS

Results = dict[str, Any]
CERTAIN = 0.05  # McNemar's p below which a difference is called more than chance
WARM_WITHIN = 0.05  # by so much the first rounds may be slower than the rest


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
        tables.overview(results),
        Text(_overview_notes(results)),
        *_shown(pictures, "accuracy_latency", "latency"),
        tables.latency(models),
        Text(_latency_notes(results)),
    ]
    if results["dataset"]:
        found += [Heading("What quantization cost"), *map(Text, _costs(models)), tables.truth(models)]
        found += [Text(_dataset(results["dataset"])), tables.recalls(models), *_shown(pictures, "recall", "confusion")]
    else:
        found.append(Text("No data set was at hand: this report is about speed alone (give one with `--data`)."))
    found += [Heading("The loop"), tables.flat_out(results["pipeline"]), Text(_loop_notes(results))]
    found += [*_shown(pictures, "stages"), tables.live(results["pipeline"]), Text(_live_notes(results))]
    if results["sustained"]:
        found += [Heading("Minutes on end"), Text(_sustained(results["sustained"])), *_shown(pictures, "sustained")]
    found += [Heading("How to get these figures again"), Text(f"`{results['command']}`"), tables.files(models)]
    if not pictures:
        found.append(Text("No pictures: matplotlib is not installed (`pip install matplotlib`)."))
    return found


def _shown(pictures: dict[str, Picture], *names: str) -> Iterator[Picture]:
    yield from (pictures[name] for name in names if name in pictures)


def verdict(results: Results) -> Text:
    """Which file to deploy, and why."""
    models = results["models"]
    model = models[results["deploy"]]
    speed = f"{model['latency_ms']['1']['p50']:.3f} ms a face on one thread"
    text = f"`{model['name']}`: {speed}, {tables.megabytes(model)} MB"
    if len(models) == 1:
        return Text(f"{text}.")
    where = "measured here" if results["dataset"] else "on the cards (no data set was at hand)"
    return Text(f"Deploy {text}, the fastest within one point of the best accuracy {where}.")


def _machine(described: dict[str, Any]) -> str:
    parts = [described["processor"] or described["machine"], f"{described['cores']} cores"]
    parts += [f"{described['memory_mb']} MB"] if described["memory_mb"] else []
    parts += [described["system"], f"Python {described['python']}"]
    return ", ".join(parts + [f"{name} {version}" for name, version in described["packages"].items()]) + "."


def _state(before: dict[str, Any], after: dict[str, Any]) -> str:
    """What may have changed meanwhile, what the system tells of it, and what it does not."""
    told, untold = [], []
    for name, key, form in (("temperature in °C", "temperature_c", ".0f"), ("clock in MHz", "clock_mhz", ".0f")):
        if before[key] is not None and after[key] is not None:
            told.append(f"{name} {before[key]:{form}} before and {after[key]:{form}} after")
        else:
            untold.append(name)
    if before["throttled"] is not None:
        told.append(f"held back by: {', '.join({*before['throttled'], *(after['throttled'] or ())}) or 'nothing'}")
    else:
        untold.append("throttling")
    for name, value in (("governor", before["governor"]), ("used by others", before["used_by_others"])):
        if value is None:
            untold.append(name)
        else:
            told.append(f"{name}: {value}" if isinstance(value, str) else f"{name}: {value:.0%} of the cores")
    words = "; ".join(told) + "." if told else ""
    words = words[:1].upper() + words[1:]
    return f"{words} Not told by this system: {', '.join(untold)}." if untold else words


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
            if (first := times["warm_up"]["first_to_rest"]) > 1 + WARM_WITHIN:
                yield (
                    f"`{model['name']}` on {threads} thread(s): the first tenth of the rounds took {first:.2f} times "
                    "the rest: it was not warm, or not alone."
                )


def _overview_notes(results: Results) -> str:
    empty = next((model["rss_empty_mb"] for model in results["models"] if model["rss_empty_mb"]), None)
    without = f" ({empty:.0f} MB of it without runtime and model)" if empty else ""
    return (
        "Each model in a process of its own; memory and loading are medians of fresh processes. Resident: with the "
        f"runtime and the model, after one inference{without}. Cold: importing the runtime, loading, one inference; "
        "load: the file once more. Times as fast, and agreement: against the float32 file of the same Keras model and "
        "format, where it is among these."
    )


def _latency_notes(results: Results) -> str:
    peaks = ", ".join(f"{peak / 1e9:.0f} GMAC/s on {count}" for count, peak in results["peak_macs_per_s"].items())
    models = results["models"]
    macs = sorted({f"{model['macs'] / 1e6:.0f} million" for model in models if model["macs"]})
    times = models[0]["latency_ms"]["1"]
    needed = [model["latency_ms"]["1"]["warm_up"]["needed"] for model in models]
    most = "more than that" if None in needed else f"at most {max(needed)}"
    firsts = [model["latency_ms"]["1"]["warm_up"]["first_to_rest"] for model in models]
    text = (
        f"One face, {times['runs']} timed inferences a model and number of threads, in rounds of turns, each after "
        "three untimed ones; none of the timed ones is left out. The intervals come from drawing whole rounds again; a "
        "percentile with fewer than twenty times beyond it has none, one with fewer than five is not shown. Warm-up: "
        f"{times['warm_up']['given']} inferences; on one thread {most} were slow, and the first tenth of the rounds "
        f"took {min(firsts):.2f} to {max(firsts):.2f} times the rest. The peak is the best product of two float32 "
        f"matrices in this run, by threads: {peaks}; int8 may exceed it."
    )
    return f"{text} Multiply-adds (MAC) of an inference: {', '.join(macs)}." if macs else text


def _costs(models: list[dict[str, Any]]) -> Iterator[str]:
    """What quantization did to each model, in words; the emotion that it hurt most is named."""
    for model in models:
        base = tables.base_of(model, models)
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


def _dataset(dataset: dict[str, Any]) -> str:
    return (
        f"Faces: {dataset['faces']} of `{dataset['path']}`, split {dataset['split']} (PublicTest, on which the epoch "
        f"was chosen), the same for every model. {dataset['also_in_training']} of them are pixel for pixel in the "
        "training split too; `not in training` is without these. Recall by emotion, and its change from float32 in "
        "points:"
    )


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


def _live_notes(results: Results) -> str:
    return (
        f"The same frames as a camera would give them, {results['pipeline'][0]['live']['camera_fps']:.0f} a second, "
        "the newest one wins. Age: from the moment the camera gave the picture to its reading. Cores used: processor "
        "time over time, the source's thread included."
    )


def _sustained(sustained: dict[str, Any]) -> str:
    points = sustained["points"]
    minutes = points[-1]["at_s"] / 60
    text = (
        f"{' '.join(tables.about(sustained))}, at full speed: {sustained['frames']} frames in {minutes:.2f} minutes, "
        f"{sustained['first_fps']:.0f} FPS in the first tenth, {sustained['last_fps']:.0f} in the last"
    )
    for name, unit in (("temperature_c", "°C"), ("clock_mhz", "MHz"), ("rss_mb", "MB")):
        if points[0][name] is not None:
            text += f"; {points[0][name]:.0f} {unit} at the start, {points[-1][name]:.0f} at the end"
    held = sorted({why for point in points for why in point["throttled"] or ()})
    return f"{text}.{' **Held back by: ' + ', '.join(held) + '.**' if held else ''}"
