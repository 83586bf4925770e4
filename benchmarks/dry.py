"""How good is the estimate of `horae run --dry-run`? Four experiments: the estimate, then the run, each a process.

python benchmarks/dry.py          # a few minutes; benchmarks/results/dry.{json,md}
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from horae.files import write_whole

RESULTS = Path(__file__).with_name("results")
RUNS = {
    "the demo": [],
    "mlp on digits-dirichlet": ["population.name=digits-dirichlet", "model.name=mlp", "budget.participations=3000"],
    "cnn, 900 participations": ["model.name=cnn", "budget.participations=900"],
    "mlp, AutoFLIP, 100,000 simulated seconds": [
        "pruning.name=autoflip",
        "model.name=mlp",
        "budget.simulated_s=100000",
    ],
}


def horae(*words: str) -> tuple[dict, float, int]:
    """What the command prints, how long it took, and the most memory that it held, in MiB."""
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen([sys.executable, "-m", "horae", *words, "--json"], stdout=out)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"horae {' '.join(words)} ended with {process.returncode}")
        out.seek(0)
        return json.load(out), seconds, round(used.ru_maxrss / 1024)


def measured(name: str, settings: list[str], place: Path) -> dict:
    """One row: estimate and run."""
    changes = [word for setting in settings for word in ("--set", setting)]
    told, dry_s, _ = horae("run", *changes, "--dry-run")
    _, seconds, mib = horae("run", *changes, "--out", str(place))
    guess = told["estimate"]
    row = {"run": name, "estimated_s": guess["seconds"], "took_s": round(seconds, 1)}
    row |= {"ratio": round(guess["seconds"] / seconds, 2), "dry_run_s": round(dry_s, 1)}
    return row | {"estimated_mib": round(guess["memory_bytes"] / 2**20), "took_mib": mib}


def main() -> None:
    """Print the table, and write it."""
    rows = []
    with tempfile.TemporaryDirectory() as place:
        for i, (name, settings) in enumerate(RUNS.items()):
            rows.append(measured(name, settings, Path(place) / str(i)))
            print(rows[-1], flush=True)
    head = (
        "run",
        "estimated, s",
        "took, s",
        "ratio",
        "dry run itself, s",
        "estimated, MiB",
        "took, MiB",
    )
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(map(str, row.values()))} |" for row in rows]
    words = (
        "Made by `python benchmarks/dry.py`. The run follows its estimate; other work on the machine is part of both."
    )
    write_whole(RESULTS / "dry.md", "\n".join(("# What `--dry-run` says, and what happens", "", words, "", *lines, "")))
    write_whole(RESULTS / "dry.json", json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
