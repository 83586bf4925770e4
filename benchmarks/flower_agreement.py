"""The same experiment in the simulation and over Flower's nodes, where no parity is possible: cohorts that wait for
nobody, over-commitment 1.25, five seeds each: .flower/bin/python benchmarks/flower_agreement.py (some minutes).

The nodes are ClientApps in this process behind Flower's Grid (tests/flower/nearby.py), each in a thread with a state
directory of its own: which replies come first is up to the machine. Results go to
benchmarks/results/flower_agreement.{json,md}.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1] / "tests" / "flower")]

from flwr.app import Context, RecordDict  # noqa: E402
from nearby import Nearby  # noqa: E402

import horae  # noqa: E402
from horae.flower import client_app  # noqa: E402
from horae.flower.apps import conduct  # noqa: E402
from horae.settings import dumps  # noqa: E402

RESULTS = Path(__file__).parent / "results"
NODES, SEEDS = 10, 5
TABLE: dict[str, Any] = {
    "name": "agreement",
    "participants": 8,
    "overcommit": 1.25,
    "deadline_s": 120.0,
    "baseline": "single",
    "budget": {"participations": 320},
    "engine": {"min_clients": 1, "check_in_s": 1.0},
    "population": {"name": "digits-rotated", "clients": NODES, "degrees": [0.0, 180.0], "images_per_client": 60},
    "availability": {"name": "always"},
    "model": {"name": "logistic"},
    "training": {"steps": 20},
    "clustering": {
        "name": "auxo", "threshold": 0.4, "min_members": 2, "min_participants": 1, "check_every": 4, "start": 0.05,
        "epsilon": 0.5,
    },
    "evaluation": {"every": 100},
}  # fmt: skip
TOLD = {"cohorts": "{:.0f}", "ari": "{:.2f}", "accuracy": "{:.3f}", "gain": "{:+.3f}"}


class Near(Nearby):
    """Clients 0..n-1 of the experiment's own population."""

    def __init__(self, place: Path) -> None:
        super().__init__(NODES)
        for client, node in enumerate(self.nodes):
            config = {"client": client, "state-dir": str(place / str(client))}
            self._contexts[node] = Context(1, node, config, RecordDict(), {})
            self._apps[node] = client_app()


def row(result: Any) -> dict[str, float]:
    """What is compared."""
    facts = result.summary
    ari = facts["adjusted_rand_index"]
    return {"cohorts": facts["cohorts"], "ari": ari, "accuracy": facts["accuracy"], "gain": facts["gain"]}


def both(seed: int, home: Path) -> dict[str, dict[str, float]]:
    """One seed, twice."""
    simulated = horae.run({**TABLE, "seed": seed}, out=home / f"simulated-{seed}")
    (home / "experiment.toml").write_text(dumps({**TABLE, "seed": seed, "site": {"nodes": NODES, "timeout_s": 120.0}}))
    grid = Near(home / f"state-{seed}")
    try:
        flower = conduct(grid, {"out": str(home / f"flower-{seed}")}, home)
    finally:
        grid.close()
    return {"simulation": row(simulated), "Flower": row(flower)}


def page(rows: list[dict[str, Any]]) -> str:
    """A line a seed, and the means."""
    text = ["# Simulation and Flower where no parity is possible", ""]
    text += [f"{NODES} clients in two groups, 8 replies of 10 asked, cohorts that wait for nobody; simulation | Flower"]
    text += ["(`.flower/bin/python benchmarks/flower_agreement.py`). Gain: accuracy above one model.", ""]
    text += ["| seed | cohorts | adjusted Rand index | accuracy | gain |", "|---|---|---|---|---|"]
    for one in rows:
        text.append(f"| {one['seed']} | " + " | ".join(_pair(one, name, form) for name, form in TOLD.items()) + " |")
    means = {
        where: {name: statistics.fmean(one[where][name] for one in rows) for name in TOLD}
        for where in ("simulation", "Flower")
    }
    forms = {**TOLD, "cohorts": "{:.1f}"}
    text.append("| mean | " + " | ".join(_pair(means, name, form) for name, form in forms.items()) + " |")
    return "\n".join(text) + "\n"


def _pair(one: dict[str, Any], name: str, form: str) -> str:
    return f"{form.format(one['simulation'][name])} \\| {form.format(one['Flower'][name])}"


def main() -> None:
    """The command."""
    parse = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parse.add_argument("--seeds", type=int, default=SEEDS)
    rows = []
    for seed in range(parse.parse_args().seeds):
        with tempfile.TemporaryDirectory() as home:
            rows.append({"seed": seed, **both(seed, Path(home))})
        print(rows[-1], flush=True)
        table = {"experiment": TABLE, "rows": rows}
        (RESULTS / "flower_agreement.json").write_text(json.dumps(table, indent=1) + "\n")
        (RESULTS / "flower_agreement.md").write_text(page(rows))


if __name__ == "__main__":
    main()
