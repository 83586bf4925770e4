"""How fast a round of training is, beside a naive loop and other libraries.

    make bench-peers                       installs the peers, each in an environment of its own under .bench/
    make bench                             all usual workloads, within minutes
    python -m benchmarks.train --only cnn --engines naive-1,horae-2,pfl-2 --turns 7 --limit 600

Engines that are not installed are named in the table. Results go to benchmarks/results/train.json and train.md; those
of a selection only where --out says.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.train import table, turns
from benchmarks.train.engines import ENGINES
from benchmarks.train.machine import machine
from benchmarks.train.process import ROOT
from benchmarks.train.workloads import USUAL, WORKLOADS

RESULTS = ROOT / "benchmarks" / "results"
SIDES = (
    ("aggregation", ("200", "1000000")),
    ("aggregation", ("200", "10000000")),
    ("evaluation", ("logistic",)),
    ("evaluation", ("mlp",)),
)


def options_of(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.train", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=7, help="counted turns (7)")
    parser.add_argument("--limit", type=float, default=120, help="seconds of a workload, after three turns (120)")
    parser.add_argument("--only", type=_names(WORKLOADS), default=None, help=f"of {', '.join(WORKLOADS)}")
    parser.add_argument("--engines", type=_names(ENGINES), default=None, help=f"of {', '.join(ENGINES)}")
    parser.add_argument("--out", type=Path, default=None, help="folder of the results")
    return parser.parse_args(arguments)


def main() -> None:
    """Play, print, write."""
    options, console = options_of(), Console()
    if not console.is_terminal:
        console = Console(width=120)  # a log has no edge
    whole = options.only is None and options.engines is None
    results: dict[str, Any] = {"machine": machine(), "workloads": {}, "aggregation": [], "evaluation": []}
    for name in options.only or USUAL:
        results["workloads"][name] = own = _play(console, name, options)
        table.show(console, table.heading(name, own), table.COLUMNS, table.rows_of(own))
    if whole:
        for module, arguments in SIDES:
            results[module].append(_side(module, *arguments))
        for title, columns, rows in table.side_tables(results):
            table.show(console, title, columns, rows)
    out = options.out or (RESULTS if whole else None)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "train.json").write_text(json.dumps(results, indent=1) + "\n")
        (out / "train.md").write_text(table.markdown(results))
        console.print(f"written: {os.path.relpath(out)}/train.json, train.md")


def _play(console: Console, name: str, options: argparse.Namespace) -> dict[str, Any]:
    workload = WORKLOADS[name]
    left_out = {} if options.engines else dict(workload.left_out)
    left_out |= {name: "its engine here knows no such network" for name in workload.strange_to}
    chosen = [engine for engine in options.engines or ENGINES if engine not in left_out]
    total = (options.turns + turns.WARM_UP) * (len({*chosen, "naive-1"}) + 1)
    with _progress(console, name, total) as done:
        result = turns.play(workload, chosen, options.turns, options.limit, done)
    for engine, reason in left_out.items():
        if options.engines and engine not in options.engines:
            continue
        result["engines"][engine] = vars(turns.Record(absent=f"left out: {reason}"))
    return result


@contextmanager
def _progress(console: Console, name: str, total: int) -> Iterator[Callable[[], None]]:
    columns = (TextColumn(f"{name:10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task(name, total=total)
        yield lambda: progress.advance(bar)


def _side(module: str, *arguments: str) -> dict[str, Any]:
    """A measurement in a process of its own."""
    command = [sys.executable, "-m", f"benchmarks.train.{module}", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _names(known: dict[str, Any]) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        names = text.split(",")
        if wrong := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"no {', '.join(wrong)}; there are {', '.join(known)}")
        return names

    return parse


if __name__ == "__main__":
    main()
