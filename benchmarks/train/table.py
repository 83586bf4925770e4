"""The results as tables: on the terminal by rich, and in train.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.train.turns import middle, ratios

Rows = list[list[str]]
COLUMNS = ("engine", "over naive-1", "ms a round", "CPU ms", "GFLOP/s", "of sgemm", "+MB", "error", "horae over it")
NOTES = """
In a turn every engine does one round, in rotating order; each lives in a process of its own and has done two rounds
before. A ratio is taken inside a turn: median (min - max).

- naive: the frozen loop of `benchmarks/train/naive.py` on 1 or 2 threads. horae: its trainer with 1 or 2 workers, and
  the path it chose; torch: the same with 2 workers on a machine without a compiler. flower: Flower 1.42, two Ray actors
  of one thread; one simulation, driven round by round and timed by its strategy from configure to aggregate. pfl:
  pfl-research 0.6 on 1 or 2 threads. fedjax: FedJAX 0.0.17; XLA takes all cores. Everybody trains the same network on
  the same samples in the same batches; fedjax and pfl get them laid out in order. Two threads of torch wait passively,
  which on a shared machine is far better. Who waits for its turn is stopped.
- GFLOP/s: useful ones, without biases, norms and the first layer's gradient to its inputs. Of sgemm: beside a product
  of 1024x1024 matrices on one thread in the same turn.
- +MB: most memory added since libraries and data were loaded, by all processes of the engine together: workers and
  actors count with their libraries and their copy of the data, shared pages in each.
- error: the first round's averaged update against naive's, relative L2. Averaging weights instead of updates costs some
  digits.
- horae over it: against the faster of horae's two.
- combine / read: one thread; a read is a sum over the same memory. Forward in training: the samples a round of horae-1
  trains, over the part of its time that forward passes have in its FLOPs.
"""


def spread(values: Sequence[float]) -> str:
    """Median, smallest and largest."""
    return f"{_short(middle(values))} ({_short(min(values))} - {_short(max(values))})" if values else "-"


def rows_of(result: dict[str, Any]) -> Rows:
    """A row per engine of one workload."""
    engines = result["engines"]
    base = engines["naive-1"]["seconds"]
    ours = [own["seconds"] for name, own in engines.items() if name.startswith("horae") and own["seconds"]]
    best = min(ours, key=middle, default=[])
    found = []
    for name, own in engines.items():
        if own["absent"]:
            found.append([name, own["absent"], *[""] * (len(COLUMNS) - 2)])
            continue
        seconds = own["seconds"]
        rates = [result["gflop"] / s for s in seconds]
        peaks = [rate * s / result["sgemm_gflop"] for rate, s in zip(rates, result["sgemm_s"], strict=True)]
        path = f" ({own['about']['path']})" if "path" in own["about"] else ""
        found.append(
            [
                name + path,
                spread(ratios(base, seconds)),
                f"{1000 * middle(seconds):,.1f}",
                f"{1000 * middle(own['cpu_s']):,.1f}",
                _short(middle(rates)),
                f"{100 * middle(peaks):.0f} %",
                f"{own['peak_mb']:,.0f}",
                "-" if name == "naive-1" else f"{own['error']:.0e}",
                "-" if name.startswith("horae") else _short(middle(ratios(seconds, best))) if best else "-",
            ]
        )
    return found


def heading(name: str, result: dict[str, Any]) -> str:
    """One line about a workload and the machine meanwhile."""
    sgemm = middle([result["sgemm_gflop"] / s for s in result["sgemm_s"]])
    load = " to ".join(f"{value:.1f}" for value in result["load"])
    return (
        f"{name}: {result['title']}, {result['parameters']:,} parameters; {result['turns']} turns, "
        f"load {load}, sgemm {sgemm:.0f} GFLOP/s"
    )


def side_tables(results: dict[str, Any]) -> list[tuple[str, Sequence[str], Rows]]:
    """Aggregation and evaluation: title, columns, rows."""
    adding = [
        [
            f"{a['updates']} x {a['floats']:,}",
            f"{a['combine_s']:.3f}",
            f"{a['read_s']:.3f}",
            spread(a["over_read"]),
            f"{a['added_mb']:,.0f} ({a['result_mb']:,.0f})",
        ]
        for a in results.get("aggregation", [])
    ]
    testing = [
        [
            f"{e['workload']} ({e['path']})",
            f"{e['tested_per_s']:,.0f}",
            f"{e['forward_in_training_per_s']:,.0f}",
            spread(e["ratio"]),
        ]
        for e in results.get("evaluation", [])
    ]
    return [
        (
            "Aggregation: Updates.combine",
            ("updates", "combine, s", "one read, s", "combine / read", "+MB (of which result)"),
            adding,
        ),
        (
            "Evaluation: 2,000 clients share four models",
            ("model", "tested a second", "forward in training, a second", "ratio"),
            testing,
        ),
    ]


def show(console: Console, title: str, columns: Sequence[str], rows: Rows) -> None:
    """One table on the terminal."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i == 0 else "right", no_wrap=i == 0)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def markdown(results: dict[str, Any]) -> str:
    """The page: all tables, the machine, and how to read them."""
    about = results["machine"]
    versions = ", ".join(f"{name} {about[name]}" for name in ("python", "torch", "numpy"))
    parts = [
        "Made by `make bench`.\n",
        f"{about['cpu']}, {about['cores']} cores; {versions}; {about['date']}.\n",
        *(f"**{heading(name, own)}**\n\n{_grid(COLUMNS, rows_of(own))}" for name, own in results["workloads"].items()),
        *(f"**{title}**\n\n{_grid(columns, rows)}" for title, columns, rows in side_tables(results) if rows),
    ]
    return "\n".join(parts) + NOTES


def _grid(columns: Sequence[str], rows: Rows) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
