"""The tables of docs/all-four.md, from the kept results of `horae reproduce all-four/ablation`.

    horae reproduce all-four/ablation --keep
    python -m benchmarks.all_four                           (writes them into the page)

A test compares the page with what the results generate.
"""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from horae.files import write_whole
from horae.report.tables import NONE

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "all-four.md"
KEPT = ROOT / "experiments" / "results" / "all-four" / "ablation.json"
BETWEEN = re.compile(r"(<!-- table -->\n).*?(\n<!-- end -->)", re.S)
Values = dict[str, list[float | None]]
COLUMNS: dict[str, Callable[[Values], list[float]]] = {
    "accuracy, %": lambda v: scaled(v["accuracy"], 100),
    "worst tenth, %": lambda v: scaled(v["accuracy_worst10"], 100),
    "cohorts": lambda v: scaled(v["cohorts"], 1),
    "ARI": lambda v: scaled(v["adjusted_rand_index"], 1),
    "MB": lambda v: scaled(v["bytes"], 1e-6),
    "of these exploring": lambda v: scaled(shared(v, "exploration"), 1e-6),
    "census": lambda v: scaled(shared(v, "census"), 1e-6),
    "GFLOP": lambda v: scaled(v["flops"], 1e-9),
    "simulated h": lambda v: scaled(v["simulated_s"], 1 / 3600),
}
DIGITS = {"cohorts": 1, "ARI": 2, "MB": 0, "GFLOP": 1, "of these exploring": 1, "census": 1}


def scaled(values: list[float | None], by: float) -> list[float]:
    """Those that there are, times `by`."""
    return [value * by for value in values if value is not None]


def shared(values: Values, purpose: str) -> list[float | None]:
    """Bytes for a purpose, from its share."""
    whole, part = values["bytes"], values[f"share.{purpose}.nbytes"]
    return [None if a is None or b is None else a * b for a, b in zip(whole, part, strict=True)]


def spread(values: list[float], digits: int) -> str:
    """Mean ± standard deviation, if there is any to see; nothing where it is always nought.

    >>> spread([1.0, 2.0], 1), spread([0.0, 0.0], 1), spread([3.0, 3.0], 0)
    ('1.5 ± 0.7', '–', '3')
    """
    if not any(values):
        return NONE
    mean = f"{statistics.fmean(values):,.{digits}f}"
    deviation = f"{statistics.stdev(values):,.{digits}f}" if len(values) > 1 else "0"
    return f"{mean} ± {deviation}" if deviation.strip("0.") else mean


def table(record: dict[str, Any]) -> str:
    """A row for each arm."""
    lines = [["", *COLUMNS], ["---"] * (len(COLUMNS) + 1)]
    for arm in record["arms"]:
        cells = [spread(of(arm["values"]), DIGITS.get(name, 1)) for name, of in COLUMNS.items()]
        lines.append([arm["name"], *cells])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def page(text: str, record: dict[str, Any]) -> str:
    """The page with the table in its place."""
    return BETWEEN.sub(lambda found: f"{found[1]}{table(record)}{found[2]}", text)


def main() -> None:
    """Write the page."""
    write_whole(PAGE, page(PAGE.read_text(encoding="utf-8"), json.loads(KEPT.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main()
