"""A whole Auxo run with LEAF's network, before and after: as torch does it client by client, and compiled.

    python benchmarks/whole.py         # some five minutes; benchmarks/results/whole.{json,md}

Both sides take turns, each run a process: the same experiment and seed, `training.path = "lean"` (what there was
before convolutions were compiled) and "auto". What the run takes is everything: clients, rounds, scores, report.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from horae.files import write_whole

ROOT, RESULTS = Path(__file__).parents[1], Path(__file__).with_name("results")
GLYPHS = [str(ROOT / "experiments" / "glyphs.toml"), "--set", "model.name=leaf-cnn", "--set", "baseline=none"]
BUDGET = ["--set", "budget.participations=200", "--set", "training.lr=0.05"]
TURNS, PATHS, WORKERS = 3, ("lean", "auto"), (2,)


def measured(path: str, workers: int, turn: int) -> dict:
    """One run's summary, what of it is of interest."""
    with tempfile.TemporaryDirectory() as folder:
        words = [*GLYPHS, *BUDGET, "--set", f"training.path={path}", "--set", f"seed={turn}", "--workers", str(workers)]
        out = Path(folder) / "run"
        before = os.times()
        subprocess.run(
            [sys.executable, "-m", "horae", "run", *words, "--out", str(out)], check=True, capture_output=True
        )
        after = os.times()
        told = json.loads((out / "summary.json").read_text())
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    kept = {name: told[name] for name in ("accuracy", "cohorts", "participations")}
    return {
        "path": path,
        "workers": workers,
        "turn": turn,
        "wall_s": after.elapsed - before.elapsed,
        "cpu_s": cpu_s,
    } | kept


def page(rows: list[dict]) -> str:
    """A table: medians, least and most."""
    lines = [
        "Made by `python benchmarks/whole.py`.",
        "",
        f"{platform.machine()}, {os.cpu_count()} cores; {TURNS} turns, seeds 0 to {TURNS - 1}; LEAF's network (6.6 M",
        "parameters) on glyphs, 200 participations; ratios are taken inside each turn, to lean with as many workers.",
        "",
        "| path | workers | seconds | CPU seconds | wall ratio | accuracy | cohorts |",
        "|---|---|---|---|---|---|---|",
    ]
    for workers in WORKERS:
        base = {row["turn"]: row["wall_s"] for row in rows if row["path"] == "lean" and row["workers"] == workers}
        for path in PATHS:
            mine = [row for row in rows if row["path"] == path and row["workers"] == workers]
            if not mine:
                continue
            wall, cpu = ([row[name] for row in mine] for name in ("wall_s", "cpu_s"))
            ratio = [base[row["turn"]] / row["wall_s"] for row in mine]
            said = ", ".join(f"{100 * row['accuracy']:.1f}" for row in mine)
            heaps = ", ".join(str(row["cohorts"]) for row in mine)
            spans = " | ".join(f"{statistics.median(v):.1f} ({min(v):.1f} to {max(v):.1f})" for v in (wall, cpu, ratio))
            lines.append(f"| {path} | {workers} | {spans} | {said} | {heaps} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """All turns; rows are kept as they come."""
    rows: list[dict] = []
    for turn in range(TURNS):
        for workers in WORKERS:
            for path in PATHS:
                rows.append(measured(path, workers, turn))
                print(json.dumps(rows[-1]), flush=True)
                write_whole(RESULTS / "whole.json", json.dumps(rows, indent=1) + "\n")
                write_whole(RESULTS / "whole.md", page(rows))


if __name__ == "__main__":
    main()
