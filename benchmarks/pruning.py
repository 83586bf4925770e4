"""Ways to prune, at equal numbers of weights and at equal budgets: AutoFLIP, its controls and its rivals.

    make pruning                                            (everything; goes on where it stopped)
    python -m benchmarks.pruning --parts methods,cohorts --seeds 4 --data-root DIR

A part is an experiment file with changes, and arms; arms of one seed share clients, devices, hours, first model and
participants. Accuracy is that of the cohort's model on everybody's test samples together, after every round. Results go
to benchmarks/results/pruning.json (a row per run), pruning.md (tables, verdicts) and pruning.png.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.pruning_told import tell
from horae.arms import train
from horae.engines import Simulation
from horae.engines.simulation import World
from horae.errors import DataError
from horae.experiment import Experiment, load
from horae.federate import Standing, federate
from horae.population import Population
from horae.types import Engine

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
FILES = ROOT / "experiments" / "autoflip"
SHARES = (0.3, 0.7, 0.9)
MODES = {
    "weighted": {"mode": "weighted"},
    "square": {"mode": "square"},
    "agreement": {"mode": "agreement"},
    "paper, min-max": {"mode": "paper"},
    "paper, robust": {"mode": "paper", "normalisation": "robust"},
}
HOW = {"optimizer": "sgd", "lr": 0.1, "epochs": 1, "explorers": 1.0}  # to explore: see the part `exploration`
Arms = dict[str, dict[str, Any]]


def pruned(name: str, **fields: Any) -> dict[str, Any]:
    """Changes that name a pruning and its fields."""
    return {"pruning.name": name} | {f"pruning.{key}": value for key, value in fields.items()}


def at(share: float) -> Arms:
    """Every method with this share of the prunable weights dropped."""
    arms = {name: pruned(name, threshold=share) for name in ("random", "magnitude", "ssfl", "slim")}
    arms |= {f"AutoFLIP {name}": pruned("autoflip", threshold=share, **HOW, **how) for name, how in MODES.items()}
    if share == 0.7:
        arms["AutoFLIP per round"] = pruned("autoflip", threshold=share, schedule="per-round", **HOW)
        arms["inverted"] = pruned("benchmarks.inverted:Inverted", threshold=share)
    arms["prunefl"] = pruned("prunefl", threshold=share, every=10)
    arms["feddst"] = pruned("feddst", threshold=share, every=5, stop=30)
    return {f"{name} @ {share:.0%}": changes for name, changes in arms.items()}


def explored() -> Arms:
    """AutoFLIP at 70 % by how it explores."""
    arms: Arms = {}
    for optimizer, lr in (("adam", 0.001), ("sgd", 0.1), ("sgd", 0.001)):
        for epochs in (1, 5, 10) if lr == 0.1 or optimizer == "adam" else (1, 5):
            for mode in ("weighted", "square", "agreement") if optimizer == "adam" or lr == 0.1 else ("weighted",):
                how = {"mode": mode, "optimizer": optimizer, "lr": lr, "epochs": epochs, "explorers": 1.0}
                arms[f"{mode}, {optimizer} {lr}, {epochs} epochs"] = pruned("autoflip", threshold=0.7, **how)
    for share in (0.1, 0.25, 0.5):
        arms[f"weighted, {share:.0%} explore"] = pruned("autoflip", threshold=0.7, **{**HOW, "explorers": share})
        arms[f"ssfl, {share:.0%} explore"] = pruned("ssfl", threshold=0.7, explorers=share)
    return arms


def cohorts(share: float) -> Arms:
    """Auxo with and without pruning."""
    auto = pruned("autoflip", threshold=share, epochs=5, explorers=1.0)
    return {**DENSE, "AutoFLIP": auto, "AutoFLIP, float16": {**auto, "channels": [{"name": "float16"}]}}


DENSE = {"dense": pruned("dense")}
HALF = {"threshold": 0.7}
UNITS = {"threshold": 0.7, "structured": 0.3}
EVERY = {name: changes for share in SHARES for name, changes in at(share).items()}


@dataclass(frozen=True)
class Part:
    """Arms on one experiment file. whole: run as `horae run` does, for what its summary tells of cohorts."""

    file: str
    arms: Arms
    seeds: int
    changes: dict[str, Any] = field(default_factory=dict)
    whole: bool = False


PARTS = {
    "methods": Part("mnist", {**DENSE, **EVERY, "heterofl": pruned("heterofl")}, 4),
    "exploration": Part("mnist", explored(), 4),
    "cohorts": Part("auxo-digits-rotated", cohorts(0.65), 4, whole=True),
    "small cohorts": Part("auxo-digits-rotated", cohorts(0.7), 2, {"model.hidden": [64]}, whole=True),
    "clothes": Part(
        "fashion-mnist",
        {
            **DENSE,
            "AutoFLIP, units and weights": pruned("autoflip", epochs=1, **UNITS),
            "AutoFLIP, weights": pruned("autoflip", epochs=1, structured=0.0, **HALF),
            "random, units and weights": pruned("random", **UNITS),
        },
        3,
    ),
}


class Curve:
    """Looks on: the root's model on everybody's test samples, and the ledger, after every round.

    rows: round, accuracy, bytes, FLOPs, FLOPs without zeros.
    """

    def __init__(self, world: World) -> None:
        people = world.population
        self._trainer, self._rows = world.trainer, np.concatenate(people.test.rows(np.arange(people.clients)))
        self.rows: list[list[float]] = []
        self.first_loss, self.params = 0.0, np.zeros(0, np.float32)

    def look(self, standing: Standing, engine: Engine, *, over: bool) -> None:
        """Once for every round."""
        cohort, ledger = standing.tree.leaves()[0], standing.ledger
        if self.rows and self.rows[-1][0] == cohort.round:
            return
        right, asked, loss = self._trainer.evaluate(cohort.params, cohort.buffers, [self._rows])
        nbytes = ledger.nbytes_up + ledger.nbytes_down
        accuracy = round(float(right[0] / asked[0]), 4)
        self.rows.append([cohort.round, accuracy, nbytes, ledger.flops, ledger.sparse_flops])
        self.first_loss, self.params = self.first_loss or float(loss[0]), cohort.params


class Silent:
    """Writes nothing down."""

    def round(self, *_: Any) -> None:
        """Not this either."""


def alone(experiment: Experiment, world: World) -> dict[str, Any]:
    """One cohort's run: how accuracy rose, and what it cost."""
    plan, curve, begun = experiment.plan(), Curve(world), time.process_time()
    begin = (world.trainer.initial_params, world.trainer.initial_buffers)
    with threadpool_limits(limits=1):
        standing = federate(plan, begin, Simulation(plan, world, experiment.engine), Silent(), [curve])
    return {
        "curve": curve.rows,
        "first_loss": curve.first_loss,
        "living": int(np.count_nonzero(curve.params)),
        "cpu_s": round(time.process_time() - begun, 2),
        "ledger": standing.ledger.table(),
    }


def whole(experiment: Experiment, world: World) -> dict[str, Any]:
    """A run with cohorts: its summary, and what it cost."""
    with tempfile.TemporaryDirectory() as folder:
        summary = train(experiment, world, Path(folder)).summary
        ends = [json.loads(line) for line in (Path(folder) / "events.jsonl").read_text().splitlines()]
    kept = ("accuracy", "accuracy_worst10", "adjusted_rand_index", "cohorts", "participations", "flops")
    ledger = next(event["ledger"] for event in reversed(ends) if "ledger" in event)
    return {key: summary[key] for key in kept} | {
        "bytes": summary["bytes_up"] + summary["bytes_down"],
        "ledger": ledger,
    }


def measure(part: Part, arm: str, seed: int, people: dict[int, Population], data_root: Path | None) -> dict[str, Any]:
    """One run. people: the clients by seed, made once."""
    experiment = load(FILES / f"{part.file}.toml", {**part.changes, **part.arms[arm], "seed": seed})
    world = experiment.world(data_root, people.get(seed))
    people[seed] = world.population
    return (whole if part.whole else alone)(experiment, world)


def main() -> None:
    """Measure what is missing, then write tables and picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--arms", default="", help="only arms whose name has this in it")
    parser.add_argument("--seeds", type=int, default=0, help="fewer or more than the part's own number")
    parser.add_argument("--data-root", type=Path, default=os.environ.get("HORAE_DATA"))
    options = parser.parse_args()
    if unknown := set(options.parts.split(",")) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; known: {', '.join(PARTS)}")
    store = RESULTS / "pruning.json"
    found: dict[str, Any] = json.loads(store.read_text()) if store.exists() else {}
    for name in options.parts.split(","):
        try:
            fill(found, name, options.arms, options.seeds, options.data_root, store)
        except DataError as error:
            print(f"{name}: skipped, {error}", flush=True)
    tell(found, RESULTS)


def fill(found: dict[str, Any], name: str, only: str, seeds: int, data_root: Path | None, store: Path) -> None:
    """Run what a part lacks, and write each run down at once."""
    part, people = PARTS[name], dict[int, Population]()
    for seed in range(seeds or part.seeds):
        for arm in (arm for arm in part.arms if only in arm):
            mine = found.setdefault(name, {}).setdefault(arm, {})
            if str(seed) not in mine:
                mine[str(seed)] = measure(part, arm, seed, people, data_root)
                store.write_text(json.dumps(found) + "\n")
        print(f"{name}: seed {seed} is done", flush=True)


if __name__ == "__main__":
    main()
