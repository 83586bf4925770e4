"""The evidence for cohorts: the demo's experiment on every population, against one global model and the oracle.

    make evidence            (all rows, a quarter of an hour on two cores; goes on where it stopped)
    python benchmarks/cohorts.py --rows iid --seeds 3 --jobs 1

One set of hyper-parameters for everything: `horae/demo.toml` with the changes named in ROWS. Arms of one seed share
clients, devices, hours and first model. Results go to benchmarks/results/cohorts.json (one entry per arm and seed) and
cohorts.md (the table).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from horae.arms import train
from horae.errors import DataError
from horae.experiment import load

RESULTS = Path(__file__).parent / "results"
DATA_ROOT = Path(os.environ.get("HORAE_DATA", Path.home() / ".cache" / "horae"))
MLP = {"model.name": "mlp"}
PAPER = {"clustering.partition": "paper", "clustering.reward": "paper"}
PHONES = {"availability.concentration": 7.4, "availability.session_s": 8000.0, "availability.session_sd": 1.0}
UNEQUAL = {"population.group_sizes": [100, 50, 30, 20]}
LATE = {"availability.late_share": 0.333, "availability.late_after_s": 180_000.0}  # half of the run's 100 hours


def _on(name: str, **changes: Any) -> dict[str, Any]:
    return {"population.name": name, **changes}


KEPT = ("accuracy", "accuracy_worst10", "accuracy_seen", "cohorts", "adjusted_rand_index", "clients_seen", "splits")
ALL = ("single", "oracle", "auxo")
TWO = ("single", "auxo")
ROWS: dict[str, tuple[str, dict[str, Any], tuple[str, ...], int]] = {
    "rotated": ("digits-rotated, logistic", {}, ALL, 5),
    "rotated-mlp": ("digits-rotated, MLP", MLP, ALL, 5),
    "permuted": ("digits-permuted, logistic", _on("digits-permuted"), ALL, 5),
    "permuted-mlp": ("digits-permuted, MLP", {**_on("digits-permuted"), **MLP}, ALL, 5),
    "unequal": ("groups of 100/50/30/20", UNEQUAL, ALL, 5),
    "late": ("a third comes after half time", LATE, ALL, 5),
    "unequal-late": ("both", {**UNEQUAL, **LATE}, ALL, 5),
    "phones": ("availability as on phones", PHONES, ALL, 5),
    "iid": ("digits-iid, logistic", _on("digits-iid"), TWO, 20),
    "iid-mlp": ("digits-iid, MLP", {**_on("digits-iid"), **MLP}, TWO, 5),
    "dirichlet": ("digits-dirichlet 0.3, logistic", _on("digits-dirichlet"), TWO, 5),
    "dirichlet-mlp": ("digits-dirichlet 0.3, MLP", {**_on("digits-dirichlet"), **MLP}, TWO, 5),
    "dirichlet-cut": ("digits-dirichlet 0.3, drop = 0", _on("digits-dirichlet", **{"clustering.drop": 0.0}), TWO, 5),
    "sessions": ("digits-sessions, logistic", _on("digits-sessions"), TWO, 5),
    "writers": ("mnist-writers, logistic", _on("mnist-writers"), ALL, 5),
    "writers-mlp": ("mnist-writers, MLP", {**_on("mnist-writers"), **MLP}, ALL, 5),
    "yogi": ("digits-rotated, FedYogi", {"algorithm.name": "fedyogi"}, ALL, 5),
    "paper": ("the paper's rule and reward", PAPER, TWO, 5),
    "paper-reward": ("the paper's reward, our rule", {"clustering.reward": "paper"}, TWO, 5),
}


def measure(row: str, seed: int) -> dict[str, dict[str, Any]]:
    """All arms of one row and seed, on the same clients: arm -> summary, with a hash of its accuracy curve."""
    _, changes, arms, _ = ROWS[row]
    common = {k: v for k, v in changes.items() if not k.startswith("clustering.")} | {"seed": seed, "baseline": "none"}
    world = load(None, common).world(DATA_ROOT)
    found = {}
    for arm in arms:
        own = changes if arm == "auxo" else common
        experiment = load(None, {**own, **common, "clustering.name": arm})
        with tempfile.TemporaryDirectory() as folder:
            done = train(experiment, world, Path(folder))
        curve = json.dumps([[s["accuracy"], s["variance"], s["loss"]] for s in done.scores])
        models = b"".join(cohort.params.tobytes() for cohort in done.tree)
        digest = hashlib.sha256(curve.encode() + models).hexdigest()[:16]
        found[arm] = {key: done.summary[key] for key in KEPT} | {"digest": digest}
    return found


def table(results: dict[str, dict[str, dict[str, Any]]]) -> str:
    """Markdown: mean accuracy and worst tenth per arm, the paired gain with its smallest value, cohorts, ARI."""
    heads = ("row", "seeds", "single", "auxo", "oracle", "gain, mean (min)", "worst 10 %, single → auxo")
    heads += ("cohorts", "ARI ≥ .95 (min)", "same bits as single")
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for row, (title, _, arms, _) in ROWS.items():
        seeds = sorted((int(s) for s in results.get(row, {})), key=int)
        if not seeds:
            continue
        by = {arm: [results[row][str(s)][arm] for s in seeds] for arm in arms}
        gain = 100 * (_of(by["auxo"], "accuracy") - _of(by["single"], "accuracy"))
        worst = [100 * _of(by[a], "accuracy_worst10").mean() for a in TWO]
        agreement = [a["adjusted_rand_index"] for a in by["auxo"] if a["adjusted_rand_index"] is not None]
        ari = f"{sum(a >= 0.95 for a in agreement)}/{len(agreement)} ({min(agreement):.2f})" if agreement else "–"
        same = sum(a["digest"] == s["digest"] for a, s in zip(by["auxo"], by["single"], strict=True))
        cells = [title, str(len(seeds)), *(_spread(by.get(arm)) for arm in ("single", "auxo", "oracle"))]
        cells += [f"{gain.mean():+.1f} ({gain.min():+.1f})", f"{worst[0]:.1f} → {worst[1]:.1f}"]
        counts = Counter(a["cohorts"] for a in by["auxo"])
        cells += [", ".join(f"{k} ({n} of {len(seeds)})" for k, n in counts.items()), ari, f"{same}/{len(seeds)}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure what is missing, then write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--seeds", type=int, default=0, help="fewer or more seeds than the row's own number")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--fresh", action="store_true", help="forget earlier results of these rows")
    options = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    store = RESULTS / "cohorts.json"
    results = json.loads(store.read_text()) if store.exists() else {}
    rows = options.rows.split(",")
    if options.fresh:
        results = {row: found for row, found in results.items() if row not in rows}
    wanted = [(row, seed) for row in rows for seed in range(options.seeds or ROWS[row][3])]
    wanted = [(row, seed) for row, seed in wanted if str(seed) not in results.get(row, {})]
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        jobs = {pool.submit(measure, row, seed): (row, seed) for row, seed in wanted}
        for job in as_completed(jobs):
            row, seed = jobs[job]
            try:
                results.setdefault(row, {})[str(seed)] = job.result()
            except DataError as error:
                print(f"{row} {seed}: skipped, {error}", flush=True)
                continue
            store.write_text(json.dumps(results, indent=1) + "\n")
            accuracy = {arm: round(found["accuracy"], 3) for arm, found in results[row][str(seed)].items()}
            print(row, seed, accuracy, results[row][str(seed)]["auxo"]["splits"], flush=True)
    text = table(results)
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    (RESULTS / "cohorts.md").write_text(f"Made by `make evidence` ({machine}).\n\n{text}", encoding="utf-8")
    print(text)


def _of(runs: list[dict[str, Any]], key: str) -> np.ndarray:
    return np.array([run[key] for run in runs], float)


def _spread(runs: list[dict[str, Any]] | None) -> str:
    if not runs:
        return "–"
    values = 100 * _of(runs, "accuracy")
    return f"{values.mean():.1f} ± {values.std(ddof=1) if values.size > 1 else 0:.1f}"


if __name__ == "__main__":
    main()
