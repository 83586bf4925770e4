"""The section about pruning: which share of each layer lives, what that saves, and when the masks changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from horae.report.figures.verdicts import colour_of
from horae.report.masks import last_of, sparsity
from horae.report.page import details, paragraph, section
from horae.report.reading import Arm, Event
from horae.report.svg import OURS, variable
from horae.report.tables import count, flops, nbytes, seconds, share, table, text

MOST_BARS, MOST_ROWS = 36, 12  # bars drawn one by one, and rows of masks before they are folded away
HEAD = (
    "cohort", "round", "simulated time", "mask", "weights that live", "units", "model", "with the mask", "update",
    "a sample", "without its zeros",
)  # fmt: skip


def pruning(arm: Arm, level: int = 2) -> str:
    """What lives at the end, layer by layer; bytes and FLOPs against the dense model; and every change of a mask."""
    events = arm.of("masks")
    if not events:
        return ""
    last = last_of({event["cohort"]: event for event in events}, arm.leaves) or events[-1:]
    models = _distinct(last)
    parts = [paragraph(text(" ".join(_lead(arm, last, [model for _, model in models]))), "soft"), _bars(arm, models)]
    rows = [_row(event, model) for event in events for model in event["submodels"]]
    known = next((model["dense"] for _, model in models if "dense" in model), None)
    if known:
        rows.insert(0, _dense(known, models[0][1]["params"]))
    changes = table(HEAD, rows, "Masks, from the round on in which they were first trained")
    parts.append(changes if len(rows) <= MOST_ROWS else details("Masks, and when they changed", changes))
    return section("Which weights live", *parts, level=level)


def _distinct(last: Sequence[Event]) -> list[tuple[str, dict[str, Any]]]:
    """Each submodel once, with the first cohort that has it."""
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for event in last:
        for model in event["submodels"]:
            found.setdefault(model["version"], (event["cohort"], model))
    return list(found.values())


def _lead(arm: Arm, last: list[Event], models: list[dict[str, Any]]) -> list[str]:
    """In words: how much went, and what that saved."""
    kept = sum(model["kept"] / model["params"] for model in models) / len(models)
    lines = [f"{share(sparsity(last))} of the weights that may go are gone; {share(kept)} of all weights live."]
    if all("dense" in model for model in models):
        dense = models[0]["dense"]
        mean = {key: sum(model[key] for model in models) / len(models) for key in ("model", "update", "flops")}
        lines.append(
            f"A model is {nbytes(mean['model'])} on its way down instead of {nbytes(dense['model'])}, an update"
            f" {nbytes(mean['update'])} instead of {nbytes(dense['update'])}; a forward pass of one sample is"
            f" {flops(mean['flops'])} instead of {flops(dense['flops'])}."
        )
        if mean["flops"] == dense["flops"]:
            lines.append("FLOPs are those of dense arithmetic: single zeros save none.")
    told = arm.summary.get("exploration")
    if told:
        lines.append(
            f"Exploring took {share(told.get('bytes'))} of all bytes and {share(told.get('flops'))} of all FLOPs."
        )
    return lines


def _bars(arm: Arm, models: list[tuple[str, dict[str, Any]]]) -> str:
    """A bar for each layer, and for each submodel where there are several."""
    layers = list(dict.fromkeys(name for _, model in models for name in model.get("layers", {})))
    alone = len(models) == 1 or len(layers) * len(models) > MOST_BARS
    bars = []
    for name in layers:
        having = [(cohort, model) for cohort, model in models if name in model.get("layers", {})]
        if alone:
            shares = [_share(model, name) for _, model in having]
            words = f"{name}, {count(having[0][1]['layers'][name][1])} weights"
            bars.append(_bar(words, sum(shares) / len(shares), variable(OURS)))
            continue
        for cohort, model in having:
            words = f"{name}, cohort {cohort}, mask {model['version']}"
            bars.append(_bar(words, _share(model, name), variable(colour_of(arm, cohort))))
    caption = "The share of each layer's weights that lives at the end"
    caption += ", a mean over submodels." if alone and len(models) > 1 else "."
    return f'<div class="tree" role="list">{"".join(bars)}</div>' + paragraph(text(caption), "soft") if bars else ""


def _share(model: dict[str, Any], layer: str) -> float:
    """Of a layer's weights, those that live."""
    kept, size = model["layers"][layer]
    return float(kept / max(size, 1))


def _bar(name: str, value: float, colour: str) -> str:
    bar = f'<span class="bar"><i style="--share: {value:.4f}"></i></span>'
    inside = f"<span>{text(name)}</span>{bar}<b>{text(share(value))}</b>"
    return f'<div class="leaf" role="listitem" style="--colour: {colour}">{inside}</div>'


def _dense(known: dict[str, int], params: int) -> tuple[str, ...]:
    """The whole model, to compare with."""
    sizes = (nbytes(known["model"]), nbytes(None), nbytes(known["update"]), flops(known["flops"]), flops(None))
    return ("dense", "–", "–", "–", count(params), count(known.get("units")), *sizes)


def _row(event: Event, model: dict[str, Any]) -> tuple[str, ...]:
    """One submodel of one change."""
    sizes = [nbytes(model.get(key)) for key in ("model", "model_new", "update")]
    work = [flops(model.get(key)) for key in ("flops", "sparse_flops")]
    when = (event["cohort"], count(event["number"] + 1), seconds(event["at_s"]), model["version"])
    return (*when, count(model["kept"]), count(model.get("units")), *sizes, *work)
