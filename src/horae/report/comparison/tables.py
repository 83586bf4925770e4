"""A comparison as tables: cells for any of them, then CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

from horae.report.comparison import words
from horae.report.comparison.fields import FIELDS, Table, difference, one, spread, verdict

Cells = tuple[str, ...]
JUDGED = ("accuracy", "accuracy_worst10")  # the fields that are shown with their difference and verdict
DESCRIBED = ("cohorts", "simulated_s", "bytes_up", "bytes_down")
_SIGNS = {"±": r"$\pm$", "−": "$-$", "–": "--", "·": r"$\cdot$", "…": r"\dots{}"}
_SPECIAL = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", '"': "{''}"}
_SPECIAL |= {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"} | {
    sign: f"\\{sign}" for sign in "&%$#_{}"
}


def judged(results: Table, key: str) -> tuple[Cells, list[Cells]]:
    """Head and rows for one field: spread by arm, the difference to the reference, its verdict."""
    head = ("arm", "seeds", FIELDS[key].title, "difference [95 %]", "verdict")
    return head, [(arm["name"], words.seeds(arm, results), *_judged(arm, key)) for arm in results["arms"]]


def described(results: Table, keys: Sequence[str]) -> tuple[Cells, list[Cells]]:
    """Head and rows for fields without their differences."""
    rows = [(arm["name"], *(spread(FIELDS[key], arm["fields"][key]) for key in keys)) for arm in results["arms"]]
    return ("arm", *(FIELDS[key].title for key in keys)), rows


def whole(results: Table) -> tuple[Cells, list[Cells]]:
    """Everything that is shown in one table, an arm a row."""
    titles = [(FIELDS[key].title, "difference [95 %]", "verdict") for key in JUDGED]
    head = ("arm", "seeds", *(word for title in titles for word in title), *(FIELDS[key].title for key in DESCRIBED))
    rows = []
    for arm in results["arms"]:
        cells = [cell for key in JUDGED for cell in _judged(arm, key)]
        cells += [spread(FIELDS[key], arm["fields"][key]) for key in DESCRIBED]
        rows.append((arm["name"], words.seeds(arm, results), *cells))
    return head, rows


def every_field(results: Table) -> tuple[Cells, list[Cells]]:
    """A row for each field and arm."""
    head = ("field", "arm", "seeds", "mean ± deviation", "lowest", "highest", "difference [95 %]", "verdict")
    rows = []
    for field in FIELDS.values():
        for arm in results["arms"]:
            found, apart = arm["fields"][field.key], arm["difference"].get(field.key)
            ends = [one(field, found and found[end]) for end in ("low", "high")]
            n = str(found["n"] if found else 0)
            cells = (spread(field, found), *ends, difference(field, apart), verdict(apart) if field.better else "–")
            rows.append((field.title, arm["name"], n, *cells))
    return head, rows


def every_run(results: Table, keys: Sequence[str]) -> tuple[Cells, list[Cells]]:
    """A row for each run."""
    head = ("arm", "seed", "state", *(FIELDS[key].title for key in keys))
    return head, [
        (run["arm"], str(run["seed"]), run["state"], *(one(FIELDS[key], run[key]) for key in keys))
        for run in results["runs"]
    ]


def csv_text(results: Table) -> str:
    """Tidy: one row for each arm and seed, the varied fields among the columns; empty where there is nothing."""
    out, changes = io.StringIO(), {arm["name"]: arm["changes"] for arm in results["arms"]}
    rows = [{**changes[run["arm"]], **run} for run in results["runs"]]
    first = ["arm", *results["vary"], "seed", "state", "reason", "directory"]
    rest = [key for key in results["runs"][0] if key not in first]
    writer = csv.DictWriter(out, [*first, *rest], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def markdown(results: Table) -> str:
    """The table, what to know about it, and what failed."""
    head, rows = whole(results)
    lines = [_pipes(head), "|" + "---|" * len(head), *(_pipes((_plain(row[0]), *row[1:])) for row in rows), ""]
    lines += [f"Differences are to {_plain(results['against'])}, percentages by points.", ""]
    lines += [f"- {_plain(note)}" for note in (*results["notes"], *words.failures(results))]
    return "\n".join(lines).rstrip() + "\n"


def latex(results: Table) -> str:
    """A tabular for \\input; it needs booktabs and nothing else."""
    head, rows = whole(results)
    remarks = [f"Differences are to {results['against']}.", *results["notes"], *words.failures(results)]
    lines = [rf"% {' '.join(remark.split())}" for remark in (r"Needs \usepackage{booktabs}.", *remarks)]
    columns = "l" + "".join("l" if name == "verdict" else "r" for name in head[1:])
    lines += [
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        _row(head),
        r"\midrule",
        *map(_row, rows),
        r"\bottomrule",
    ]
    return "\n".join([*lines, r"\end{tabular}"]) + "\n"


def escaped(text: str) -> str:
    """Text for LaTeX; a letter that its usual fonts have not is a question mark.

    >>> print(escaped("50 % of a_b & ±1"))
    50 \\% of a\\_b \\& $\\pm$1
    """
    known = {**_SPECIAL, **_SIGNS}
    return "".join(known.get(letter, letter if letter in known or ord(letter) < 0x180 else "?") for letter in text)


def _judged(arm: Table, key: str) -> Cells:
    field, apart = FIELDS[key], arm["difference"].get(key)
    return spread(field, arm["fields"][key]), difference(field, apart), verdict(apart)


def _row(cells: Iterable[str]) -> str:
    """Braces around the first cell: one that begins with a bracket would be \\\\'s."""
    first, *rest = map(escaped, cells)
    return " & ".join([f"{{{first}}}", *rest]) + r" \\"


def _pipes(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    return re.sub(r"([\\|*_`<>])", r"\\\1", " ".join(text.split()))
