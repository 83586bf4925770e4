"""What re-organising one's own samples does to learning: raw, exact, waterfill, weight; with selectors; under Auxo.

    make alignment                                          (everything; goes on where it stopped)
    python -m benchmarks.alignment --parts "A;D" --seeds 4

A part is an experiment file with changes, and arms; arms of one seed share clients, devices, hours and first model.
Accuracy is that of the cohort's model on one common test set, each held-out image once, and the mean over clients on
their own tests: both the mean of the last ten rounds. Results go to benchmarks/results/alignment.json (a row per run),
alignment.md (tables, verdicts) and alignment.png.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.alignment_leak import leak, noised
from benchmarks.alignment_people import CLASSES, Known, truth
from benchmarks.alignment_told import tell
from horae.alignment import Halor, distance
from horae.arms import train
from horae.engines import Simulation
from horae.engines.simulation import World
from horae.experiment import Experiment, load
from horae.federate import Standing, federate
from horae.files import write_whole
from horae.types import Engine, Plan

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
FILES = ROOT / "experiments" / "halor"
LAST = 10  # rounds that a run's accuracy is the mean of
MODES = ("exact", "waterfill", "weight")
SELECTORS = ("uniform", "oort", "refl", "pyramidfl")
KNOWN = "g known"
Arms = dict[str, dict[str, Any]]

RAW: dict[str, Any] = {"alignment": {"name": "off"}}
ALL: Arms = {"raw": RAW, **{mode: {"alignment.mode": mode} for mode in MODES}}
TOLD: Arms = {f"{mode}, {KNOWN}": {"alignment.mode": mode} for mode in MODES}


def chosen() -> Arms:
    """Every mode with every selector that is not uniform."""
    return {
        f"{arm} + {selector}": {**changes, "selector.name": selector}
        for selector in SELECTORS[1:]
        for arm, changes in ALL.items()
    }


COHORTS: Arms = {
    "single, off": {**RAW, "clustering.name": "single"},
    "off": RAW,
    "global": {},
    "cohort": {"alignment.whose": "cohort"},
    "oracle, off": {**RAW, "clustering.name": "oracle"},
    "oracle, global": {"clustering.name": "oracle"},
    "oracle, cohort": {"alignment.whose": "cohort", "clustering.name": "oracle"},
}
MANY = {"population.clients": 1000, "alignment.window_clients": 1000}
ALIKE = {"population.skew": 1.0}
TIED = {"availability.name": "by-label"}


@dataclass(frozen=True)
class Part:
    """Arms on one experiment file. whole: run as `horae run` does."""

    file: str
    arms: Arms
    seeds: int
    changes: dict[str, Any] = field(default_factory=dict)
    whole: bool = False


PARTS = {
    "A": Part("digits-small", ALL | TOLD | chosen(), 8),
    "C": Part("digits-large", ALL | TOLD, 8, {"population.alpha": 5.0} | TIED),
    "D": Part("digits-large", ALL | TOLD | chosen(), 8, TIED),
    "D, 1,000 clients": Part("digits-large", ALL | TOLD, 8, MANY | TIED),
    "Auxo, labels by group": Part("digits-auxo", COHORTS, 4, whole=True),
    "Auxo, labels alike": Part("digits-auxo", {arm: COHORTS[arm] for arm in ("off", "global")}, 4, ALIKE, whole=True),
}
NOISE = {  # members of a total, and how many of them must be left: n_min
    "one of 1,000 clients, n_min 900": (1000, 900),
    "one of 1,000 clients, n_min 10": (1000, 10),
    "50 of 20 clients, n_min 10": (20, 10),
}
EXTRA = ("leak", "noise")


class Curve:
    """Looks on: the root's model on the common test set after every round.

    rows: round, accuracy, recall of labels from 5 on, mean accuracy over clients on their own tests.
    """

    def __init__(self, world: World) -> None:
        people, self._trainer = world.population, world.trainer
        self._own = people.test.rows(np.arange(people.clients))
        common = np.unique(np.concatenate(self._own))
        high = people.y[common] >= CLASSES // 2
        self._halves = [common[~high], common[high]]
        self.rows: list[list[float]] = []

    def look(self, standing: Standing, engine: Engine, *, over: bool) -> None:
        """Once for every round."""
        cohort = standing.tree.leaves()[0]
        if self.rows and self.rows[-1][0] == cohort.round:
            return
        right, asked, _ = self._trainer.evaluate(cohort.params, cohort.buffers, self._halves)
        own, held, _ = self._trainer.evaluate(cohort.params, cohort.buffers, self._own)
        clients = float((own[held > 0] / held[held > 0]).mean())
        row = [float(right.sum() / asked.sum()), float(right[1] / asked[1]), clients]
        self.rows.append([cohort.round, *(round(value, 4) for value in row)])


class News:
    """Keeps what the log hears of censuses, and whose update came."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.clients: list[int] = []

    def round(self, outcome: Any, *_: Any) -> None:
        """One round's."""
        self.told += outcome.news
        self.clients += outcome.clients.tolist()


def alone(experiment: Experiment, plan: Plan, world: World) -> dict[str, Any]:
    """One cohort's run: how accuracy rose, what the census said, and what it cost."""
    curve, news, begun = Curve(world), News(), time.process_time()
    begin = (world.trainer.initial_params, world.trainer.initial_buffers)
    with threadpool_limits(limits=1):
        standing = federate(plan, begin, Simulation(plan, world, experiment.engine), news, [curve])
    counts = np.bincount(news.clients, minlength=world.population.clients)
    seen = [{**told, "tv": distance(np.array(told["target"]), truth(world.population))} for told in news.told]
    last = np.array(curve.rows[-LAST:])[:, 1:].mean(axis=0)
    return {
        "accuracy": last[0],
        "recall": last[1],
        "clients": last[2],
        "curve": [row[1] for row in curve.rows],
        "census": [{key: one[key] for key in ("what", "counted", "refused", "tv")} for one in seen],
        "visited": int((counts > 0).sum()),
        "ledger": standing.ledger.table(),
        "cpu_s": round(time.process_time() - begun, 2),
    }


def whole(experiment: Experiment, world: World) -> dict[str, Any]:
    """A run with cohorts: its summary, and what it cost."""
    with tempfile.TemporaryDirectory() as folder:
        summary = train(experiment, world, Path(folder)).summary
        events = [json.loads(line) for line in (Path(folder) / "events.jsonl").read_text().splitlines()]
    kept = ("accuracy", "accuracy_worst10", "accuracy_global", "cohorts", "adjusted_rand_index", "simulated_s")
    censuses = [event for event in events if event["event"] == "census"]
    return {key: summary[key] for key in kept if key in summary} | {
        "bytes": summary["bytes_up"] + summary["bytes_down"],
        "bytes_up": summary["bytes_up"],
        "flops": summary["flops"],
        "splits_at": [e["round"] for e in events if e["event"] == "verdict" and e["split"]],
        "closed": sum(e["what"] == "closed" for e in censuses),
        "ledger": next(event["ledger"] for event in reversed(events) if "ledger" in event),
    }


def measure(part: Part, arm: str, seed: int) -> dict[str, Any]:
    """One run."""
    experiment = load(FILES / f"{part.file}.toml", {**part.changes, **part.arms[arm], "seed": seed})
    if part.whole:
        return whole(experiment, experiment.world())
    world = experiment.world()
    plan = experiment.plan()
    if arm.endswith(KNOWN):
        by = plan.alignment
        assert isinstance(by, Halor)
        plan = dataclasses.replace(plan, alignment=Known(by, tuple(truth(world.population))))
    return alone(experiment, plan, world)


def main() -> None:
    """Measure what is missing, then write tables and picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default=";".join((*PARTS, *EXTRA)), help="separated by ;")
    parser.add_argument("--arms", default="", help="only arms whose name has this in it")
    parser.add_argument("--seeds", type=int, default=0, help="fewer or more than the part's own number")
    options = parser.parse_args()
    store = RESULTS / "alignment.json"
    found: dict[str, Any] = json.loads(store.read_text()) if store.exists() else {}
    for name in options.parts.split(";"):
        arms = PARTS[name].arms if name in PARTS else NOISE if name == "noise" else ("alpha 0.5",)
        for seed in range(options.seeds or (PARTS[name].seeds if name in PARTS else 4)):
            for arm in (arm for arm in arms if options.arms in arm):
                mine = found.setdefault(name, {}).setdefault(arm, {})
                if str(seed) not in mine:
                    mine[str(seed)] = measure(PARTS[name], arm, seed) if name in PARTS else extra(name, arm, seed)
                    write_whole(store, json.dumps(found) + "\n")
            print(f"{name}: seed {seed} is done", flush=True)
    tell(found, RESULTS)


def extra(name: str, arm: str, seed: int) -> dict[str, float]:
    """What updates tell, or what noise does to totals."""
    changes: dict[str, Any] = {"population.alpha": 5.0, "seed": seed}
    if name == "leak":
        return leak(load(FILES / "digits-large.toml", changes), seed)
    changes |= {"population.clients": 1000, "population.images_per_client": 62}
    return {"tv": noised(load(FILES / "digits-small.toml", changes), *NOISE[arm])}


if __name__ == "__main__":
    main()
