"""What the pruning benchmark found, in tables and verdicts."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.pruning_picture import draw

ROUND, ACCURACY, NBYTES, FLOPS, SPARSE = range(5)
Runs = dict[str, dict[str, Any]]  # by seed
Found = dict[str, Runs]  # by arm
Score = Callable[[dict[str, Any]], float]
DEFAULT = "AutoFLIP weighted"


def tell(found: dict[str, Found], results: Path) -> None:
    """pruning.md and pruning.png."""
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    parts = [
        f"Made by `make pruning` ({machine}). Mean ± standard deviation over seeds; differences are paired by seed."
    ]
    tables: dict[str, list[Any]] = {
        "methods": [methods, gates, budgets],
        "exploration": [exploration],
        "cohorts": [cohorts],
        "small cohorts": [lambda found: cohorts(found, "small cohorts", "MLP of 64, 70 % dropped")],
        "clothes": [clothes],
    }
    for name, makers in tables.items():
        if name in found:
            parts += [make(found) for make in makers]
    (results / "pruning.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    if "methods" in found:
        draw({**found.get("exploration", {}), **found["methods"]}, results / "pruning.png")


def late(run: dict[str, Any]) -> float:
    """Mean accuracy of the second half of the rounds."""
    curve = np.array(run["curve"], float)
    return float(curve[curve[:, ROUND] >= curve[-1, ROUND] / 2, ACCURACY].mean())


def within(budget: float, column: int) -> Score:
    """Mean accuracy while the second half of a budget of bytes or FLOPs is spent."""

    def score(run: dict[str, Any]) -> float:
        curve = np.array(run["curve"], float)
        end = min(budget, curve[-1, column])
        return float(curve[(curve[:, column] > end / 2) & (curve[:, column] <= end), ACCURACY].mean())

    return score


def spent(runs: Runs, column: int) -> float:
    """What runs spent in all, on average."""
    return float(np.mean([run["curve"][-1][column] for run in runs.values()]))


def less(one: Runs, other: Runs, score: Score = late) -> np.ndarray:
    """Differences by seed."""
    return np.array([score(one[seed]) - score(other[seed]) for seed in one if seed in other])


def table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (heads, ("---",) * len(heads), *rows))


def points(values: Any, sign: bool = False) -> str:
    """Percent, with the spread."""
    found = 100 * np.asarray(list(values), float)
    spread = f" ± {found.std(ddof=1):.1f}" if found.size > 1 else ""
    return f"{found.mean():{'+' if sign else ''}.1f}{spread}"


def methods(found: dict[str, Found]) -> str:
    """Every method at every share."""
    runs = found["methods"]
    rows = []
    for arm, mine in runs.items():
        share = arm.partition(" @ ")[2]
        control = runs.get(f"random @ {share}")
        exploring = np.mean([_sum(run, "exploration") for run in mine.values()]) / 1e6
        rows.append((
            arm, f"{np.mean([run['living'] for run in mine.values()]):,.0f}", points(map(late, mine.values())),
            points(less(mine, control), True) if control and control is not mine else "–",
            points(less(mine, runs["dense"]), True) if arm != "dense" else "–",
            f"{spent(mine, NBYTES) / 1e6:.1f}", f"{exploring:.1f}", f"{spent(mine, FLOPS) / 1e9:.1f}",
            f"{spent(mine, SPARSE) / 1e9:.1f}",
        ))  # fmt: skip
    heads = ("method @ share dropped", "living weights", "accuracy, %", "to random", "to dense", "MB in all")
    heads += ("of these exploring", "GFLOP", "GFLOP if zeros were free")
    seeds = len(runs["dense"])
    return f"## Methods\n\n{seeds} seeds; accuracy: mean over the second half of the rounds.\n\n" + table(heads, rows)


def gates(found: dict[str, Found]) -> str:
    """The directional gates, with verdicts."""
    rows = [
        (name, what, f"{points(values, True)} points", bound, "holds" if fine else "**does not hold**")
        for name, what, values, bound, fine in judged(found["methods"], found.get("exploration", {}))
    ]
    return "## Gates\n\n" + table(("", "what", "measured", "asked", "verdict"), rows)


def judged(runs: Found, exploring: Found | None = None) -> list[tuple[str, str, np.ndarray, str, bool]]:
    """Letter, what, differences by seed, what is asked, whether their mean does that."""
    few = [(exploring or {}).get(f"{name}, 25% explore", {}) for name in ("weighted", "ssfl")]
    best, own = best_mode(runs), runs[f"{DEFAULT} @ 70%"]
    ssfl, random = runs["ssfl @ 70%"], runs["random @ 70%"]
    entry = max(run["first_loss"] for run in own.values())
    tests: list[tuple[str, str, np.ndarray, str, float, bool]] = [
        ("a", f"{best} - random, 70 %", less(runs[f"{best} @ 70%"], random), "≥ +5", 0.05, True),
        ("b", "inverted - random, 70 %", less(runs["inverted @ 70%"], random), "< -10", -0.10, False),
        ("c", f"{DEFAULT} - dense, 30 %", less(runs[f"{DEFAULT} @ 30%"], runs["dense"]), "≥ -3", -0.03, True),
        ("d", "static - per round, 70 %", less(own, runs["AutoFLIP per round @ 70%"]), "≥ -1", -0.01, True),
        ("f", f"{DEFAULT} - ssfl, 70 %, equal rounds", less(own, ssfl), "≥ -1", -0.01, True),
    ]
    for word, column in (("bytes", NBYTES), ("FLOPs", FLOPS)):
        equal = within(min(spent(own, column), spent(ssfl, column)), column)
        tests.append(("f", f"the same, equal total {word}", less(own, ssfl, equal), "≥ -1", -0.01, True))
        if all(few):
            equal = within(min(spent(one, column) for one in few), column)
            what = f"a quarter explores, of both; equal total {word}"
            tests.append(("f", what, less(few[0], few[1], equal), "≥ -1", -0.01, True))
    for share in ("30%", "70%", "90%"):
        mine = runs[f"{DEFAULT} @ {share}"]
        equal = within(spent(mine, NBYTES), NBYTES)
        what = f"{DEFAULT} - dense, {share}, equal total bytes"
        tests.append(("g", what, less(mine, runs["dense"], equal), "≥ 0", 0.0, True))
    told = [(a, b, c, d, bool(c.mean() >= e if above else c.mean() < e)) for a, b, c, d, e, above in tests]
    most = 1.3 * math.log(10)
    warm = ("e", f"loss before round 1: {entry:.2f}, over", np.array([(entry - most) / 100]), "≤ 0", entry <= most)
    return [*told[:4], (warm[0], f"{warm[1]} 1.3 ln 10 = {most:.2f} (in nats)", warm[2], warm[3], warm[4]), *told[4:]]


def best_mode(runs: Found) -> str:
    """The score with the highest mean at 70 %."""
    modes = [arm.partition(" @ ")[0] for arm in runs if arm.startswith("AutoFLIP ") and arm.endswith("@ 70%")]
    modes.remove("AutoFLIP per round")
    return max(modes, key=lambda name: np.mean([late(run) for run in runs[f"{name} @ 70%"].values()]))


def budgets(found: dict[str, Found]) -> str:
    """Methods at 70 % where all have spent as much."""
    runs = {arm: mine for arm, mine in found["methods"].items() if "@" not in arm or arm.endswith("@ 70%")}
    most = [spent(runs["random @ 70%"], NBYTES), spent(runs["dense"], FLOPS)]
    scores = [within(most[0], NBYTES), within(most[1], FLOPS)]
    rows = [
        (arm, *(points(map(score, mine.values())) for score in scores),
         *(points(less(mine, runs["ssfl @ 70%"], score), True) for score in scores))
        for arm, mine in runs.items()
    ]  # fmt: skip
    heads = (
        "method",
        f"at {most[0] / 1e6:.1f} MB",
        f"at {most[1] / 1e9:.1f} GFLOP",
        "to ssfl, bytes",
        "to ssfl, FLOPs",
    )
    told = "Accuracy while the second half of the budget is spent, exploration included; slim and heterofl spend fewer"
    return f"## Equal budgets, 70 % dropped\n\n{told} FLOPs in all rounds.\n\n" + table(heads, rows)


def exploration(found: dict[str, Found]) -> str:
    """AutoFLIP's settings beside SSFL, at equal rounds and at equal budgets."""
    runs, ssfl = found["exploration"], found.get("methods", {}).get("ssfl @ 70%", {})
    if not ssfl:
        return ""
    scores = [late, within(spent(ssfl, NBYTES), NBYTES), within(spent(ssfl, FLOPS), FLOPS)]
    rows = [("ssfl", *(points(map(score, ssfl.values())) for score in scores), "–", "–", "–")]
    for arm, mine in runs.items():
        values = [points(map(score, mine.values())) for score in scores]
        rows.append((arm, *values, *(points(less(mine, ssfl, score), True) for score in scores)))
    heads = ("70 % dropped", "equal rounds", "equal bytes", "equal FLOPs", "to ssfl, rounds", "bytes", "FLOPs")
    return "## How to explore\n\nAs many bytes and FLOPs as ssfl spends in 40 rounds.\n\n" + table(heads, rows)


def cohorts(found: dict[str, Found], part: str = "cohorts", what: str = "MLP of 200, 65 % dropped") -> str:
    """Auxo with and without pruning."""
    runs, rows = found[part], []
    for arm, mine in runs.items():
        every, whole = list(mine.values()), [runs["dense"][seed] for seed in mine]
        share = [run["bytes"] / dense["bytes"] for run, dense in zip(every, whole, strict=True)]
        rows.append((
            f"Auxo, {arm}", str(len(every)), points(run["accuracy"] for run in every),
            points((r["accuracy"] - d["accuracy"] for r, d in zip(every, whole, strict=True)), True),
            points(run["accuracy_worst10"] for run in every),
            ", ".join(f"{run['adjusted_rand_index']:.2f}" for run in every),
            ", ".join(str(run["cohorts"]) for run in every),
            f"{np.mean([run['bytes'] for run in every]) / 1e6:.1f}",
            f"{np.mean([_sum(run, 'exploration') for run in every]) / 1e6:.1f}", points(share),
        ))  # fmt: skip
    heads = ("arm", "seeds", "accuracy, %", "to dense", "worst tenth", "ARI", "cohorts", "MB in all")
    heads += ("of these exploring", "bytes, % of dense")
    return f"## Cohorts: digits-rotated, {what}, 6,000 participations\n\n" + table(heads, rows)


def clothes(found: dict[str, Found]) -> str:
    """Convolutions, where units are taken out."""
    runs, rows = found["clothes"], []
    for arm, mine in runs.items():
        cpu = [run["cpu_s"] / runs["dense"][seed]["cpu_s"] for seed, run in mine.items()]
        training = np.mean([run["ledger"]["train"]["flops"] for run in mine.values()]) / 1e9
        rows.append((
            arm, points(map(late, mine.values())), points(less(mine, runs["dense"]), True),
            f"{spent(mine, NBYTES) / 1e6:.1f}", f"{spent(mine, FLOPS) / 1e9:.0f}", f"{training:.0f}",
            f"{spent(mine, SPARSE) / 1e9:.0f}", points(cpu),
        ))  # fmt: skip
    heads = ("arm", "accuracy, %", "to dense", "MB in all", "GFLOP in all", "of these training", "if zeros were free")
    heads += ("processor time, % of dense",)
    seeds = len(runs["dense"])
    return f"## Fashion-MNIST, autoflip-cnn, {seeds} seeds\n\nUnits: 30 % of each layer's.\n\n" + table(heads, rows)


def _sum(run: dict[str, Any], purpose: str) -> float:
    charge = run["ledger"].get(purpose, {})
    return float(charge.get("nbytes_up", 0) + charge.get("nbytes_down", 0))
