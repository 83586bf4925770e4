"""Trials that new clients need, against the number of cohorts: python benchmarks/newcomers.py (some minutes).

Runs with 2, 4 and 8 planted groups (digits turned by other angles), split at once by Auxo's criterion, which makes a
flat tree, or forced into two at a time after 20, 40 and 60 rounds, which makes a deep one; three seeds each. Then 200
new clients look for their cohorts. Results go to benchmarks/results/newcomers.md.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a file

import horae
from benchmarks.train.machine import machine
from horae.newcomers import WAYS, newcomers_of, report

RESULTS = Path(__file__).parent / "results"


def one(groups: int, deep: bool, seed: int, folder: Path) -> list[dict]:
    """The ways' rows for one run."""
    rounds = [20, 40, 60][: groups.bit_length() - 1]
    forced = {"clustering.at": rounds, "clustering.k": 2, "clustering.max_cohorts": groups} if deep else {}
    clients, participants = 50 * groups, 15 * groups
    changes = {
        "seed": seed, "baseline": "none", "population.clients": clients, "participants": participants,
        "population.degrees": [360 / groups * i for i in range(groups)], "budget.participations": 200 * participants,
        **forced,
    }  # fmt: skip
    run = horae.run("demo", out=folder / f"{groups}-{deep}-{seed}", changes=changes)
    return report(newcomers_of(run.directory, 200), seed)


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--groups", type=int, nargs="*", default=[2, 4, 8])
    options = parser.parse_args()
    about = machine()
    lines = [
        "Made by `python benchmarks/newcomers.py`.\n",
        f"{about['cpu']}; {about['date']}; {options.seeds} seeds, 200 new clients each: mean trials (share that ended "
        "in the best cohort).\n",
        f"| planted groups | split | cohorts found | {' | '.join(WAYS)} |",
        "|---|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        for groups in options.groups:
            for deep in (False, True):
                found = [one(groups, deep, seed, Path(folder)) for seed in range(options.seeds)]
                cohorts = ", ".join(str(rows[0]["cohorts"]) for rows in found)
                cells = []
                for i in range(len(WAYS)):
                    trials = statistics.mean(rows[i]["trials"] for rows in found)
                    best = statistics.mean(rows[i]["in_the_best"] for rows in found)
                    cells.append(f"{trials:.2f} ({best:.0%})")
                lines.append(
                    f"| {groups} | {'two at a time' if deep else 'at once'} | {cohorts} | {' | '.join(cells)} |"
                )
                print(lines[-1], flush=True)
    (RESULTS / "newcomers.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
