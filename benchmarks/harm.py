"""False claims, and noise by its ε, on the demo's clients, beside one global model. Figure 14: horae reproduce.

    python benchmarks/harm.py                      (everything, three seeds; goes on where it stopped)
    python benchmarks/harm.py --only claims        (false claims, and how many honest clients the blacklist hits)
    python benchmarks/harm.py --only privacy --levels none,8 --seeds 1 --jobs 1 --out /tmp/harm

Levels of one seed share clients, devices, hours and first model. Accuracy is that of honest clients. Results go to
benchmarks/results/harm.json (a row per run), harm.md (tables) and docs/pictures/harm.png.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import brentq

from horae.arms import train
from horae.channels.privacy import epsilon_of
from horae.clustering.doubt import counted
from horae.experiment import load
from horae.report.recorder import read

HERE = Path(__file__).parent
PICTURE = HERE.parent / "docs" / "pictures" / "harm.png"
PHONES = "experiments/phones.toml"
QS = (2, 3, 5, 8)  # visits in a row
DOUBT = {"clustering.doubt_after": 5}
ARMS: dict[str, dict[str, Any]] = {
    "single": {"clustering.name": "single"},
    "auxo": {},
    "auxo, doubting": DOUBT,
    "auxo, split at 40": {"clustering.at": [40], "clustering.k": 4},
}
RANGES: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "claims": ("clients that claim falsely", ("0", "0.05", "0.1"), ("single", "auxo", "auxo, doubting")),
    "privacy": (
        "noise, by ε of one participation (δ = 1e-6); σ: the paper's",
        ("none", "σ=0.6", "σ=0.77", "σ=1.0", "8", "4", "2"),
        ("single", "auxo", "auxo, split at 40"),
    ),
}
FIELDS = {"claims": "harm.false_claims"}
CLIP = 0.1  # a median update of the demo is 0.35 long; of 0.03, 0.1 and 1 this serves one global model best
KEPT = ("accuracy", "accuracy_worst10", "cohorts", "adjusted_rand_index", "harm", "privacy")


def changes_of(what: str, level: str) -> dict[str, Any]:
    """The demo's changes for a level of harm."""
    if what != "privacy":
        return {FIELDS[what]: float(level)}
    if level == "none":
        return {}
    return {"channels": [{"name": "clip_noise", "clip": CLIP, "noise": sigma_of(level)}]}


def sigma_of(level: str) -> float:
    """σ as it is said, or that of an ε of one participation."""
    if level.startswith("σ="):
        return float(level[2:])
    wanted = float(level)
    return float(brentq(lambda sigma: (epsilon_of(sigma, 1e-6, 1) or 0.0) - wanted, 0.1, 100.0))


def measure(what: str, level: str, arm: str, seed: int) -> dict[str, Any]:
    """One run's numbers."""
    common = {**changes_of(what, level), "seed": seed, "baseline": "none"}
    experiment = load(None, {**common, **ARMS[arm]})
    with tempfile.TemporaryDirectory() as folder:
        done = train(experiment, experiment.world(), Path(folder))
        found = {key: done.summary.get(key) for key in KEPT}
        if what == "claims" and arm != "single":
            found |= caught(Path(folder), experiment.harm.lies, seed)
    return {"what": what, "level": level, "arm": arm, "seed": seed, **found}


def false_positives(source: str | None, seed: int) -> dict[str, Any]:
    """How many honest clients the rule would ever hit where nobody lies, by q.

    The run is one without the rule: up to the first hit it is the same as with it.
    """
    experiment = load(source and HERE.parent / source, {"seed": seed, "baseline": "none"})
    with tempfile.TemporaryDirectory() as folder:
        train(experiment, experiment.world(), Path(folder))
        found = {str(q): caught(Path(folder), experiment.harm.lies, seed, q) for q in QS}
    hit = {q: numbers["honest_hit"] for q, numbers in found.items()}
    return {"what": "honest", "level": experiment.name, "seed": seed, "seen": found["5"]["honest_seen"], "hit": hit}


def caught(folder: Path, lies: Any, seed: int, q: int = DOUBT["clustering.doubt_after"]) -> dict[str, Any]:
    """Honest and lying clients that were ever on a blacklist, by counting again what the log says."""
    strikes: dict[str, dict[int, int]] = {}
    seen: set[int] = set()
    black: set[int] = set()
    for event in read(folder / "events.jsonl"):
        if event["event"] != "round" or "rewards" not in event:
            continue
        clients = np.array(event["clients"], np.int64)
        columns = (np.array(event.get(name) or [None] * clients.size, float) for name in ("claims", "rewards"))
        claims, rewards = columns
        table = counted(strikes.get(event["cohort"], {}), clients, claims, rewards, 0.1, q)
        strikes[event["cohort"]] = table
        seen.update(event["clients"])
        black.update(client for client, n in table.items() if n >= q)
    who = np.array(sorted(seen), np.int64)
    liars = set(who[lies(who, seed)].tolist())
    return {
        "honest_seen": len(seen - liars), "honest_hit": len(black - liars),
        "liars_seen": len(liars), "liars_hit": len(black & liars),
    }  # fmt: skip


def tables(rows: list[dict[str, Any]]) -> str:
    """Markdown: a table for each kind of harm, and one for honest clients under the blacklist."""
    text = ""
    for what, (title, levels, arms) in RANGES.items():
        mine = [row for row in rows if row["what"] == what]
        if not mine:
            continue
        text += (
            f"\n## {title}\n\n| level | {' | '.join(arms)} | cohorts of auxo | also |\n|{'---|' * (len(arms) + 3)}\n"
        )
        for level in (*levels, *sorted({row["level"] for row in mine} - {*levels})):
            by = {arm: [r for r in mine if r["level"] == level and r["arm"] == arm] for arm in arms}
            if any(by.values()):
                cells = [_spread(by[arm]) for arm in arms]
                cohorts = ", ".join(str(row["cohorts"]) for row in by["auxo"])
                text += f"| {level} | {' | '.join(cells)} | {cohorts} | {_also(what, by)} |\n"
    honest = [row for row in rows if row["what"] == "honest"]
    if honest:
        text += "\n## honest clients on the blacklist, where nobody lies\n\n"
        text += f"| run | seeds | clients | {' | '.join(f'q = {q}' for q in QS)} |\n|{'---|' * (len(QS) + 3)}\n"
    for name in sorted({row["level"] for row in honest}):
        some = [row for row in honest if row["level"] == name]
        seen, hits = sum(row["seen"] for row in some), [sum(row["hit"][str(q)] for row in some) for q in QS]
        cells = [f"{hit} ({100 * hit / seen:.2f} %)" for hit in hits]
        text += f"| {name} | {len(some)} | {seen} | {' | '.join(cells)} |\n"
    return text


def _also(what: str, by: dict[str, list[dict[str, Any]]]) -> str:
    if what == "privacy":
        told = [row["privacy"][0] for row in by["auxo"] if row["privacy"]]
        return f"σ {told[0]['sigma']:.2f}; ε {max(t['epsilon'] for t in told):.0f} of the most visited" if told else ""
    if what == "claims":
        some = by["auxo, doubting"]
        return "; ".join(f"{r['liars_hit']} of {r['liars_seen']} liars caught, {r['honest_hit']} honest" for r in some)
    return ""


def _spread(some: list[dict[str, Any]]) -> str:
    values = 100 * np.array([row["accuracy"] for row in some])
    if not values.size:
        return "–"
    return f"{values.mean():.1f} ± {values.std(ddof=1) if values.size > 1 else 0:.1f}"


def draw(rows: list[dict[str, Any]], file: Path) -> None:
    """Accuracy of honest clients over the level of each harm: mean, and bars from the lowest to the highest seed."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    shown = [what for what in RANGES if any(row["what"] == what for row in rows)]
    figure, axes = plt.subplots(1, len(shown), figsize=(3.6 * len(shown), 3.4), sharey=True, squeeze=False, dpi=120)
    for axis, what in zip(axes[0], shown, strict=True):
        title, levels, arms = RANGES[what]
        found_at = {row["level"] for row in rows if row["what"] == what}
        there = sorted(found_at, key=lambda level: levels.index(level) if level in levels else 99)
        for i, arm in enumerate(arms):
            at, means, low, high = [], [], [], []
            for place, level in enumerate(there):
                found = [
                    100 * r["accuracy"] for r in rows if (r["what"], r["level"], r.get("arm")) == (what, level, arm)
                ]
                if found:
                    at.append(place + 0.06 * i), means.append(np.mean(found))
                    low.append(means[-1] - min(found)), high.append(max(found) - means[-1])
            if at:
                axis.errorbar(at, means, [low, high], marker="osD^"[i], capsize=2, lw=1.4, label=arm)
        words = [level if what == "privacy" else f"{100 * float(level):g} %" for level in there]
        axis.set_xticks(range(len(there)), words, fontsize=8)
        axis.set_xlim(-0.4, len(there) - 0.4)
        axis.set_title("noise on updates" if what == "privacy" else title, fontsize=9)
        axis.set_xlabel("ε of one participation, or the paper's σ" if what == "privacy" else "share", fontsize=8)
        axis.grid(alpha=0.25), axis.legend(fontsize=7, loc="lower left")
    axes[0][0].set_ylabel("accuracy of honest clients, %")
    figure.tight_layout()
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file)
    plt.close(figure)


def jobs_of(options: argparse.Namespace) -> list[tuple[Any, tuple[Any, ...]]]:
    """What to run: functions and their arguments."""
    jobs: list[tuple[Any, tuple[Any, ...]]] = []
    for what in options.only.split(","):
        _, levels, arms = RANGES[what]
        wanted = options.levels.split(",") if options.levels else levels
        jobs += [(measure, (what, v, arm, seed)) for v in wanted for arm in arms for seed in range(options.seeds)]
        if what == "claims":
            jobs += [(false_positives, (source, seed)) for source in (None, PHONES) for seed in range(options.seeds)]
    return jobs


def main() -> None:
    """Measure what is missing, then write tables and picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(RANGES), help=f"some of {', '.join(RANGES)}")
    parser.add_argument("--levels", default="", help="some levels")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--fresh", action="store_true", help="forget earlier results")
    parser.add_argument("--out", type=Path, help="a folder for tables and picture, in place of the repository's")
    options = parser.parse_args()
    folder, picture = options.out or HERE / "results", options.out / "harm.png" if options.out else PICTURE
    folder.mkdir(parents=True, exist_ok=True)
    store = folder / "harm.json"
    done: dict[str, Any] = json.loads(store.read_text()) if store.exists() and not options.fresh else {}
    wanted = {f"{task.__name__} {args}": (task, args) for task, args in jobs_of(options)}
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        running = {pool.submit(task, *args): key for key, (task, args) in wanted.items() if key not in done}
        for job in as_completed(running):
            done[running[job]] = job.result()
            store.write_text(json.dumps(done, indent=1, ensure_ascii=False) + "\n")
            print(running[job], done[running[job]], flush=True)
    rows, machine = list(done.values()), f"{platform.machine()}, {os.cpu_count()} cores"
    text = f"Made by `python benchmarks/harm.py` ({machine}). Accuracy of honest clients, %, mean ± sd over seeds.\n"
    (folder / "harm.md").write_text(text + tables(rows), encoding="utf-8")
    draw(rows, picture)
    print(tables(rows))


if __name__ == "__main__":
    main()
