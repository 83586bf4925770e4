"""What a run says in words: the headline, the big numbers, why a cohort split. Plain text; the page escapes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from horae.report.reading import Arm, Event, Node
from horae.report.tables import count, nbytes, number, plural, points, seconds, share

SAME = 5e-7  # accuracies nearer than this are the same
RIGHT = {"next-token": "Tokens right", "regression": "Within ½"}  # what accuracy is, where it is not that of labels
METRICS: dict[str, tuple[str, Callable[[float | None], str], str]] = {
    "rmse": ("RMSE", number, "of all answers; less is better"),
    "perplexity": ("Perplexity", number, "of all tokens; less is better"),
    "top5": ("Top-5 accuracy", share, "the label is among the five likeliest"),
    "f1": ("F1", share, "mean over labels"),
    "precision": ("Precision", share, "mean over labels"),
    "recall": ("Recall", share, "mean over labels"),
    "accuracy_global": ("On everybody's tests", share, "each client's model on all test samples"),
}


@dataclass(frozen=True)
class Tile:
    """A big number: what it is, its value, and a remark."""

    name: str
    value: str
    remark: str = ""


def headline(ours: Arm, rival: Arm | None) -> str:
    """The run in one sentence, whichever way it went. rival: an arm with the same budget, or None."""
    accuracy, yet = ours.summary.get("accuracy"), "" if ours.finished else " so far"
    if not ours.summary.get("rounds"):
        return f"Nothing was trained: {ours.last('end').get('reason', 'no round ended')}"
    if accuracy is None:
        return f"{_who(ours)}{yet}, and no test samples to tell how accurate"
    gain = difference(ours, rival, "accuracy")
    if rival is None or gain is None:
        return f"{_who(ours)}{yet}, {share(accuracy)} on average"
    if points(gain) == "the same as":
        return f"{_who(ours)}, the same as {rival.title} at the same budget: {share(accuracy)} on average"
    found = f"{_who(ours)}, {share(accuracy)} on average, {points(gain)} {rival.title} at the same budget"
    return found + _other_side(gain, difference(ours, rival, "accuracy_worst10"))


def tiles(ours: Arm, rival: Arm | None) -> list[Tile]:
    """The run in big numbers."""
    facts, agreement = ours.summary, ours.summary.get("adjusted_rand_index")
    up, down = (facts.get(f"bytes_{way}") for way in ("up", "down"))
    seen, known = facts.get("clients_seen"), ours.last("run").get("clients")
    found = [
        Tile(RIGHT.get(_task(ours), "Mean accuracy"), share(facts.get("accuracy")), _beside(ours, rival, "accuracy")),
        Tile("Worst tenth of clients", share(facts.get("accuracy_worst10")), _beside(ours, rival, "accuracy_worst10")),
        *(Tile(*_metric(ours, rival, name)) for name in METRICS if facts.get(name) is not None),
        Tile("Mean of participants", share(facts.get("accuracy_seen")), f"{count(seen)} of {count(known)} clients"),
        Tile("Planted groups found", number(agreement), "adjusted Rand index: 1 is exact, 0 is chance"),
        Tile("Simulated time", seconds(facts.get("simulated_s")), plural(facts.get("rounds") or 0, "round")),
        Tile("Participations", count(facts.get("participations")), "updates that were used"),
        Tile("Sent by clients", nbytes(up), "for every purpose"),
        Tile("Sent to clients", nbytes(down), "for every purpose"),
        Tile("Weights that went", share(facts.get("sparsity")), "of those that may go"),
    ]
    moot = {"Planted groups found"} if agreement is None else set()
    moot |= {"Weights that went"} if facts.get("sparsity") is None else set()
    moot |= set() if ours.finished else {"Mean of participants"}
    return [tile for tile in found if tile.name not in moot]


def _task(arm: Arm) -> str:
    return str(arm.last("run").get("population", {}).get("task", ""))


def _metric(ours: Arm, rival: Arm | None, name: str) -> tuple[str, str, str]:
    """A metric's tile: title, value, and the rival's beside it."""
    title, say, what = METRICS[name]
    other = rival.summary.get(name) if rival else None
    return (
        title,
        say(ours.summary[name]),
        f"{what}; {rival.title} {say(other)}" if rival and other is not None else what,
    )


def progress(arm: Arm, settings: Mapping[str, Any]) -> str:
    """How far a run came, in the measure of its budget. settings: the experiment with dotted names."""
    facts = arm.summary
    done: dict[str, tuple[str, float | None, Callable[[float | None], str]]] = {
        "participations": ("participations", facts.get("participations"), count),
        "simulated_s": ("simulated time", facts.get("simulated_s"), seconds),
        "bytes": ("sent both ways", (facts.get("bytes_up") or 0) + (facts.get("bytes_down") or 0), nbytes),
    }
    for key, (words, value, say) in done.items():
        if isinstance(limit := settings.get(f"budget.{key}"), int | float):
            return f"{say(value)} of {say(limit)} {words}"
    return plural(facts.get("participations") or 0, "participation")


def better_and_worse(ours: Arm, rival: Arm) -> str:
    """How many clients gained and how many lost, each against itself in the other arm."""
    both = ours.accuracies.keys() & rival.accuracies.keys()
    gains = np.array([ours.accuracies[i] - rival.accuracies[i] for i in sorted(both)])
    if not gains.size:
        return ""
    up, down = int((gains > SAME).sum()), int((gains < -SAME).sum())
    return (
        f"Client by client, against {rival.title}: {count(up)} do better, {count(down)} do worse, "
        f"{count(gains.size - up - down)} do exactly as well."
    )


def turnout(arm: Arm) -> str:
    """What became of invitations."""
    rounds = arm.of("round")
    invited, late, gone = (sum(r[key] for r in rounds) for key in ("invited", "stragglers", "dropouts"))
    empty = sum(not r["clients"] for r in rounds)
    came = sum(len(r["clients"]) for r in rounds)
    words = f"{plural(len(rounds) - empty, 'round')} with {plural(invited, 'invitation')}: "
    words += f"{count(came)} answered in time, {count(late)} too late, {count(gone)} dropped out."
    return words + (f" {plural(empty, 'round')} stayed empty." if empty else "")


def when(node: Node) -> str:
    """When a cohort split, and on what evidence."""
    if node.split is None:
        return "before the first round"
    split = node.split
    evidence = f"statistic {number(split['statistic'])} against a threshold of {number(split['threshold'])}"
    return f"in round {split['round']}, after {seconds(split['at_s'])}; {evidence}"


def looks(verdicts: list[Event]) -> list[tuple[str, ...]]:
    """A table's rows: every look a cohort took at itself."""
    shown = (("round", count), ("at_s", seconds), ("statistic", number), ("threshold", number))
    return [(v["cohort"], *(say(v[key]) for key, say in shown), v["reason"]) for v in verdicts]


def difference(ours: Arm, rival: Arm | None, field: str) -> float | None:
    """How far ours lies above the rival in a field of the summary; None where either has none."""
    mine, other = ours.summary.get(field), rival.summary.get(field) if rival else None
    return None if mine is None or other is None else float(mine - other)


def _who(arm: Arm) -> str:
    if arm.clustering == "single":
        return "One global model"
    return "No split: one cohort" if arm.title == "one cohort" else arm.title


def _other_side(gain: float, tail: float | None) -> str:
    """The worst tenth, where it went the other way than the mean."""
    if tail is None or gain * tail >= 0 or points(tail) == "the same as":
        return ""
    return f"; but the worst tenth of clients is {points(tail)}"


def _beside(ours: Arm, rival: Arm | None, field: str) -> str:
    if rival is None:
        return ""
    other = rival.summary.get(field)
    return f"{points(difference(ours, rival, field))} {rival.title}, {share(other)}" if other is not None else ""
