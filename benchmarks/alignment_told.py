"""What the alignment benchmark found, in tables and verdicts."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.alignment_picture import SCENES, draw
from benchmarks.pruning_told import less, points, table

Runs = dict[str, dict[str, Any]]  # by seed
Found = dict[str, Runs]  # by arm
MODES = ("raw", "exact", "waterfill", "weight")
SELECTORS = ("uniform", "oort", "refl", "pyramidfl")
TITLES = {
    "A": "A: 60 samples each, Dir(0.1), everybody there, 150 rounds",
    "C": "C: 200 samples each, Dir(0.5), hours by label, 60 rounds",
    "D": "D: 200 samples each, Dir(0.1), hours by label, 60 rounds",
    "D, 1,000 clients": "D with 1,000 clients",
}


def tell(found: dict[str, Found], results: Path) -> None:
    """alignment.md and alignment.png."""
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    parts = [f"Made by `make alignment` ({machine}). Mean ± standard deviation over seeds; differences are paired by "
             "seed, worst and best seed in brackets."]  # fmt: skip
    parts += [scene(found[name], TITLES[name]) for name in SCENES if name in found]
    parts += [selectors(found[name], name) for name in ("A", "D") if name in found]
    parts += [cohorts(found[name], name) for name in found if name.startswith("Auxo")]
    parts += [leaks(found["leak"])] if "leak" in found else []
    parts += [noise(found["noise"])] if "noise" in found else []
    verdicts = judged(found)
    rows = [(fact, what, seen, asked, "holds" if fine else "**does not hold**")
            for fact, what, seen, asked, fine in verdicts]  # fmt: skip
    parts += ["## Facts\n\n" + table(("fact", "what", "measured", "asked", "verdict"), rows)] if rows else []
    (results / "alignment.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    if all(name in found for name in SCENES):
        draw(found, results / "alignment.png")


def accuracy(run: dict[str, Any]) -> float:
    """On the common test set."""
    return float(run["accuracy"])


def each(runs: Runs, key: str) -> list[float]:
    """One number of every run."""
    return [run[key] for run in runs.values()]


def gain(mine: Runs, raw: Runs) -> str:
    """Points above raw: mean, worst and best seed, and how many seeds are better."""
    by_seed = 100 * less(mine, raw, accuracy)
    return (
        f"{by_seed.mean():+.1f} ({by_seed.min():+.1f} to {by_seed.max():+.1f}), {(by_seed > 0).sum()} of {by_seed.size}"
    )


def census(mine: Runs) -> str:
    """How far the first window's g is from the truth, and how many clients it counted."""
    firsts = [run["census"][0] for run in mine.values() if run["census"]]
    if not firsts:
        return "–"
    return f"{np.mean([one['tv'] for one in firsts]):.3f} ({np.mean([one['counted'] for one in firsts]):.0f})"


def scene(runs: Found, title: str) -> str:
    """One scenario with the uniform selector."""
    rows = [
        (arm, points(each(mine, "accuracy")), "–" if arm == "raw" else gain(mine, runs["raw"]),
         points(each(mine, "recall")), points(each(mine, "clients")), census(mine))
        for arm, mine in runs.items() if " + " not in arm
    ]  # fmt: skip
    heads = ("mode", "accuracy, %", "to raw, points; seeds better", "recall of labels 5-9", "mean over clients",
             "TV of g (clients counted)")  # fmt: skip
    return f"## {title}\n\n{len(runs['raw'])} seeds.\n\n" + table(heads, rows)


def selectors(runs: Found, name: str) -> str:
    """Modes by selector."""
    rows = []
    for selector in SELECTORS:
        arms = [runs[arm if selector == "uniform" else f"{arm} + {selector}"] for arm in MODES]
        cells = [points(each(mine, "accuracy")) for mine in arms]
        rows.append((selector, *cells, gain(arms[-1], arms[0])))
    heads = ("selector", *MODES, "weight to raw, points; seeds better")
    return f"## {name} with selectors\n\nAccuracy on the common test set, %.\n\n" + table(heads, rows)


def cohorts(runs: Found, name: str) -> str:
    """With and without Auxo."""
    rows = []
    for arm, mine in runs.items():
        index = [run["adjusted_rand_index"] for run in mine.values() if run.get("adjusted_rand_index") is not None]
        lost = [run["ledger"].get("census", {"nbytes_up": 0, "nbytes_down": 0}) for run in mine.values()]
        split = [run["splits_at"][0] for run in mine.values() if run["splits_at"]]
        rows.append((
            arm, points(each(mine, "accuracy")), points(each(mine, "accuracy_worst10")),
            f"{np.mean(index):.2f}" if index else "–", f"{np.mean(each(mine, 'cohorts')):.1f}",
            f"{np.mean(split):.0f}" if split else "–", f"{np.mean(each(mine, 'bytes_up')) / 1e6:.1f}",
            f"{np.mean(each(mine, 'bytes')) / 1e6:.1f}",
            f"{np.mean([row['nbytes_up'] + row['nbytes_down'] for row in lost]) / 1e6:.1f}",
            f"{np.mean(each(mine, 'flops')) / 1e9:.1f}",
        ))  # fmt: skip
    heads = ("clustering, target", "mean over clients, %", "worst tenth, %", "ARI", "cohorts", "first split, round")
    heads += ("MB up", "MB in all", "of these census", "GFLOP")
    note = "Digits turned by 0, 90, 180, 270 degrees, labels from Dir(2)"
    note += ", labels 5-9 four times as likely in odd groups" if "group" in name else ""
    return f"## {name}\n\n{note}; {len(next(iter(runs.values())))} seeds. Auxo unless said.\n\n" + table(heads, rows)


def leaks(runs: Found) -> str:
    """What an update's last bias tells."""
    rows = [(view, f"{np.mean(values):.2f} ± {np.std(values, ddof=1):.2f}")
            for view in MODES if (values := [run[view] for run in runs["alpha 0.5"].values()])]  # fmt: skip
    about = "Correlation of the last bias's change in a local epoch from the first model with a client's label shares"
    return f"## What an update tells\n\n{about} (C's clients).\n\n" + table(("view", "correlation"), rows)


def noise(runs: Found) -> str:
    """Totals with noise."""
    rows = [(arm, f"{np.mean(each(mine, 'tv')):.4f}", f"{np.max(each(mine, 'tv')):.4f}") for arm, mine in runs.items()]
    about = (
        "1,000 clients of 50 samples; each total has noise of a standard deviation of 71 (as Laplace noise of ε = 1)"
    )
    about += ", if n_min members alone are left to add to it; all of them add more."
    return f"## Noise on totals\n\n{about}\n\n" + table(("totals", "TV to the true shares", "largest"), rows)


def judged(found: dict[str, Found]) -> list[tuple[str, str, str, str, bool]]:
    """Fact, what, what was measured, what is asked, whether it is so."""
    out: list[tuple[str, str, str, str, bool]] = []

    def paired(fact: str, scene: str, arm: str, asked: str, least: float, all_seeds: bool, below: bool = False) -> None:
        if scene in found:
            by_seed = less(found[scene][arm], found[scene]["raw"], accuracy)
            fine = by_seed.mean() < 0 if below else by_seed.mean() >= least and (not all_seeds or (by_seed > 0).all())
            out.append((fact, f"{scene}: {arm}", gain(found[scene][arm], found[scene]["raw"]), asked, bool(fine)))

    for place in ("D", "D, 1,000 clients"):
        for arm in ("weight", "weight, g known"):
            paired("12", place, arm, "≥ +3, better in every seed", 0.03, True)
    paired("13", "A", "weight", "≥ -0.5", -0.005, False)
    paired("13", "A", "exact", "below raw", 0, False, below=True)
    for arm, mine in found.get("noise", {}).items():
        worst = max(each(mine, "tv"))
        out.append(("14", arm, f"TV at most {worst:.4f}", "< 0.02", worst < 0.02))
    for view, bound, fine in (("raw", "≥ 0.9", 0.9), ("exact", "≤ 0.5", 0.5)):
        values = [run[view] for run in found.get("leak", {}).get("alpha 0.5", {}).values()]
        if values:
            ok = min(values) >= fine if view == "raw" else max(values) <= fine
            out.append(("15", f"last bias, {view}", f"{min(values):.2f} to {max(values):.2f}", bound, ok))
    return out
