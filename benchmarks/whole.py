"""A whole Auxo run with LEAF's network, before and after: as torch does it client by client, and compiled.

    python benchmarks/whole.py         # some half an hour; benchmarks/results/whole.{json,md}

Both sides take turns, each run a process: the same experiment and seed, `training.path = "lean"` without a compiler
(what there was before convolutions were ours) and "auto". What a run takes is everything: start, clients, rounds,
scores, checkpoints, report.
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
BUDGET = ["--set", "budget.participations=2500", "--set", "training.lr=0.1"]
TURNS, WORKERS = 3, 2
PATHS = {"lean-torch": ("lean", {"CC": "none"}), "auto": ("auto", {})}  # as the log names it: what is asked, and where


def measured(path: str, turn: int) -> dict:
    """One run's summary, what of it is of interest."""
    asked, surroundings = PATHS[path]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        words = ["--workers", str(WORKERS), "--set", f"training.path={asked}", "--set", f"seed={turn}"]
        before = os.times()
        subprocess.run(
            [sys.executable, "-m", "horae", "run", *GLYPHS, *BUDGET, *words, "--out", str(out)],
            check=True,
            capture_output=True,
            env=os.environ | surroundings,
        )
        after = os.times()
        summary = json.loads((out / "summary.json").read_text())
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    kept = {name: summary[name] for name in ("accuracy", "cohorts", "adjusted_rand_index", "participations")}
    return {"path": path, "turn": turn, "wall_s": after.elapsed - before.elapsed, "cpu_s": cpu_s} | kept


def page(rows: list[dict]) -> str:
    """A table: medians, least and most."""
    lines = [
        "Made by `python benchmarks/whole.py`.",
        "",
        f"{platform.machine()}, {os.cpu_count()} cores; {TURNS} turns, seeds 0 to {TURNS - 1}; LEAF's network (6.6 M",
        f"parameters) on glyphs, 2,500 participations, {WORKERS} workers. `lean-torch`: torch, client by client;",
        "`auto`: what horae takes. Ratios are taken inside each turn. Paths round differently, so scores differ too.",
        "",
        "| path | seconds | CPU seconds | times quicker | accuracy | cohorts | Rand index |",
        "|---|---|---|---|---|---|---|",
    ]
    base = {row["turn"]: row["wall_s"] for row in rows if row["path"] == next(iter(PATHS))}
    for path in PATHS:
        mine = [row for row in rows if row["path"] == path]
        if not mine:
            continue
        wall, cpu = ([row[name] for row in mine] for name in ("wall_s", "cpu_s"))
        ratio = [base[row["turn"]] / row["wall_s"] for row in mine]
        spans = " | ".join(f"{statistics.median(v):.1f} ({min(v):.1f} to {max(v):.1f})" for v in (wall, cpu, ratio))
        accuracy = ", ".join(f"{100 * row['accuracy']:.1f}" for row in mine)
        cohorts = ", ".join(str(row["cohorts"]) for row in mine)
        rand = ", ".join(f"{row['adjusted_rand_index']:.2f}" for row in mine)
        lines.append(f"| {path} | {spans} | {accuracy} | {cohorts} | {rand} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """All turns; rows are kept as they come."""
    rows: list[dict] = []
    for turn in range(TURNS):
        for path in PATHS:
            rows.append(measured(path, turn))
            print(json.dumps(rows[-1]), flush=True)
            write_whole(RESULTS / "whole.json", json.dumps(rows, indent=1) + "\n")
            write_whole(RESULTS / "whole.md", page(rows))


if __name__ == "__main__":
    main()
