"""results.json -> report.md: every figure in it comes from this run."""

from __future__ import annotations

from typing import Any

from edge.labels import EMOTIONS


def markdown(results: dict[str, Any]) -> str:
    """The report as Markdown."""
    models = results["models"]
    parts = [
        "# Float and quantized, side by side",
        machine(results["host"]),
        f"`{results['command']}`",
        _models(models),
    ]
    parts += [sentence for sentence in (_verdict(model, models) for model in models) if sentence]
    if results["dataset"]:
        parts.append(_dataset(results["dataset"], models))
        parts.append("## Recall by emotion\n\n" + _recalls(models))
    else:
        parts.append("No data set was at hand: this report is about speed alone (give one with `--data`).")
    parts.append("## The loop\n\n" + _loops(results["pipeline"]))
    return "\n\n".join(parts) + "\n"


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def machine(host: dict[str, Any]) -> str:
    """What the figures are from, and a word where it was not calm."""
    versions = ", ".join(f"{name} {version}" for name, version in host["packages"].items())
    where = host["board"] or host["processor"] or host["machine"]
    text = f"{where}, {host['cores']} cores, {host['system']}, Python {host['python']}, {versions}."
    if host["governor"] not in (None, "performance"):
        text += f"\n\n**The CPU governor is `{host['governor']}`, not `performance`: times vary with the clock.**"
    if host["load_1min"] is not None and host["load_1min"] > 0.5 * host["cores"]:
        text += f"\n\n**The machine was busy (load {host['load_1min']:.1f} before the run): trust ratios, not times.**"
    return text


def _models(models: list[dict[str, Any]]) -> str:
    threads = next(iter(models[0]["latency_ms"]))
    head = ["model", "precision", "runtime", "size MB", "accuracy (95%)", "macro F1", "agreement", "McNemar p"]
    head += ["p50 ms", "p95 ms", "load ms"]
    rows = []
    for model in models:
        times = model["latency_ms"][threads]
        row = [f"`{model['file']}`", model["precision"], model["runtime"], f"{model['size_bytes'] / 1e6:.2f}"]
        if "accuracy" in model:
            low, high = model["accuracy_ci95"]
            row += [f"{model['accuracy']:.2%} ({low:.1%} to {high:.1%})", f"{model['macro_f1']:.3f}"]
        else:
            row += ["-", "-"]
        agreement, p = model.get("agreement_with_float"), model.get("mcnemar_p")
        row += ["-" if agreement is None else f"{agreement:.2%}", "-" if p is None else f"{p:.2g}"]
        row += [f"{times['p50']:.3f}", f"{times['p95']:.3f}", f"{model['load_ms']:.1f}"]
        rows.append(row)
    return (
        table(head, rows)
        + f"\n\nTimes: one face, {threads} thread(s), after a warm-up, the models taking turns. Agreement and p: with "
        "the float32 file of the same Keras model and format, where it is among these."
    )


def _verdict(model: dict[str, Any], models: list[dict[str, Any]]) -> str:
    """What a person wants to know, in words."""
    bases = [other for other in models if other["file"] == model["base"]]
    if not bases:
        return ""
    (base,) = bases
    (mine,), (first,) = model["latency_ms"].values(), base["latency_ms"].values()
    ratio = first["p50"] / mine["p50"]
    speed = f"{ratio:.2f} times as fast as" if ratio >= 1 else f"**slower** here, {1 / ratio:.2f} times the time of"
    text = f"`{model['file']}` is {speed} `{base['file']}`, {model['size_bytes'] / base['size_bytes']:.2f} of its size"
    if "mcnemar_p" in model:
        change = 100 * (model["accuracy"] - base["accuracy"])
        doubt = "beyond chance" if model["mcnemar_p"] < 0.05 else "within chance"
        text += f", and {change:+.2f} points of accuracy from it ({doubt}, p = {model['mcnemar_p']:.2g})"
    return text + "."


def _dataset(dataset: dict[str, Any], models: list[dict[str, Any]]) -> str:
    text = (
        f"Faces: {dataset['faces']} of `{dataset['path']}`, split {dataset['split']} (PublicTest, on which the epoch "
        f"was chosen), the same for every model. {dataset['also_in_training']} of them are pixel for pixel in the "
        "training split too"
    )
    without = {model["file"]: model["accuracy_not_in_training"] for model in models}
    if None not in without.values():
        text += "; without these: " + ", ".join(f"`{file}` {share:.2%}" for file, share in without.items())
    return text + "."


def _recalls(models: list[dict[str, Any]]) -> str:
    """Recall by emotion; in brackets the change from the model's base, in points: which emotion did it cost?"""
    rows = []
    for emotion in EMOTIONS:
        row = [emotion, str(models[0]["per_class"][emotion]["faces"])]
        for model in models:
            recall = model["per_class"][emotion]["recall"]
            base = [other["per_class"][emotion]["recall"] for other in models if other["file"] == model["base"]]
            row.append(f"{recall:.1%}" + (f" ({100 * (recall - base[0]):+.1f})" if base else ""))
        rows.append(row)
    return table(["emotion", "faces", *(f"`{model['file']}`" for model in models)], rows)


def _loops(loops: list[dict[str, Any]]) -> str:
    stages = list(dict.fromkeys(stage for run in loops for stage in run["stages_ms"]))
    head = [
        "model",
        "detector",
        "source",
        "frames",
        "FPS",
        *(f"{stage} p50 ms" for stage in stages),
        "age p50 / p95 ms",
    ]
    rows = [
        [
            f"`{run['model']}`",
            run["detector"],
            f"`{run['source']}` {run['resolution']}",
            str(run["frames"]),
            f"{run['fps']:.1f}",
            *(f"{run['stages_ms'][stage]['p50']:.2f}" if stage in run["stages_ms"] else "-" for stage in stages),
            f"{run['age_ms']['p50']:.1f} / {run['age_ms']['p95']:.1f}",
        ]
        for run in loops
    ]
    return table(head, rows)
