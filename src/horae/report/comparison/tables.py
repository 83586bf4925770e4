"""A comparison as tables: cells for any of them, then CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence

from horae.report.comparison import words
from horae.report.comparison.fields import FIELDS, Table, difference, one, speedup, speedup_verdict, spread, verdict

Cells = tuple[str, ...]
JUDGED = ("accuracy", "accuracy_worst10")  # the fields that are shown with their difference and verdict
DESCRIBED = ("accuracy_best10", "accuracy_variance", "cohorts", "simulated_s", "bytes_up", "bytes_down")
TIMED = ("time_to_accuracy_s", "participations_to_accuracy", "bytes_to_accuracy")  # shown with their speed-up
COSTS = ("extra_compute", "downloads", "uploads", "extra_participations")
_WORDS = ("verdict", "settings", "chosen", "purpose")  # heads of columns that hold no numbers
_SIGNS = {"±": r"$\pm$", "×": r"$\times$", "−": "$-$", "–": "--", "·": r"$\cdot$", "…": r"\dots{}"}
_SPECIAL = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", '"': "{''}"}
_SPECIAL |= {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"} | {
    sign: f"\\{sign}" for sign in "&%$#_{}"
}


def judged(results: Table, key: str) -> tuple[Cells, list[Cells]]:
    """Head and rows for one field: spread by arm, the difference to the reference, its verdict."""
    head = ("arm", "seeds", FIELDS[key].title, "difference [95 %]", "verdict")
    return head, [(arm["name"], words.seeds(arm, results), *_judged(arm, key)) for arm in results["arms"]]


def timed(results: Table, key: str) -> tuple[Cells, list[Cells]]:
    """Head and rows for one way to the target: on how many seeds it was reached, at what cost, how much faster."""
    head = ("arm", "reached", FIELDS[key].title, "speed-up [95 %]", "verdict")
    return head, [(arm["name"], words.reached(arm, key), *_timed(arm, key)) for arm in results["arms"]]


def race(results: Table) -> tuple[Cells, list[Cells]]:
    """All three ways to the target in one table."""
    titles = [(FIELDS[key].title, "speed-up [95 %]", "verdict") for key in TIMED]
    head = ("arm", "reached", *(word for title in titles for word in title))
    rows = [
        (arm["name"], words.reached(arm, TIMED[0]), *(cell for key in TIMED for cell in _timed(arm, key)))
        for arm in results["arms"]
    ]
    return head, rows


def tuned(results: Table) -> tuple[Cells, list[Cells]]:
    """A row for each trial of each arm: its settings, its accuracy, what it cost."""
    costs = ("participations", "simulated_s", "train_wall_s")
    head = ("arm", "settings", "chosen", FIELDS["accuracy"].title, *(FIELDS[key].title for key in costs))
    rows = []
    for arm in results["arms"]:
        for trial in arm["tuning"]["trials"]:
            chosen = "chosen" if trial["settings"] == arm["tuning"]["chosen"] else "failed" if trial["failed"] else ""
            cells = (one(FIELDS[key], trial["cost"][key]) for key in costs)
            rows.append((arm["name"], trial["said"], chosen, one(FIELDS["accuracy"], trial["accuracy"]), *cells))
    return head, rows


def ledgers(results: Table) -> tuple[Cells, list[Cells]]:
    """A row for each arm and purpose, means over seeds."""
    keys = {"participations": "participations", "nbytes_down": "bytes_down", "nbytes_up": "bytes_up", "flops": "flops"}
    head = ("arm", "purpose", *(FIELDS[key].title for key in keys.values()))
    return head, [
        (arm["name"], purpose, *(one(FIELDS[key], charge[name]) for name, key in keys.items()))
        for arm in results["arms"]
        for purpose, charge in arm["ledger"].items()
    ]


def several(results: Table) -> list[tuple[str, tuple[Cells, list[Cells]]]]:
    """What is shown after the first table, each with its caption."""
    found = [(words.target(results), race(results))] if results["target"] else []
    found.append((words.COSTS, described(results, COSTS)))
    return [*found, (words.tuned(results), tuned(results))] if results["tuning"] else found


def described(results: Table, keys: Sequence[str]) -> tuple[Cells, list[Cells]]:
    """Head and rows for fields without their differences."""
    rows = [(arm["name"], *(spread(FIELDS[key], arm["fields"][key]) for key in keys)) for arm in results["arms"]]
    return ("arm", *(FIELDS[key].title for key in keys)), rows


def whole(results: Table) -> tuple[Cells, list[Cells]]:
    """Everything that is shown in one table, an arm a row."""
    titles = [(FIELDS[key].title, "difference [95 %]", "verdict") for key in JUDGED]
    keys = (*DESCRIBED, *(("sparsity",) if pruned(results) else ()))
    head = ("arm", "seeds", *(word for title in titles for word in title), *(FIELDS[key].title for key in keys))
    rows = []
    for arm in results["arms"]:
        cells = [cell for key in JUDGED for cell in _judged(arm, key)]
        cells += [spread(FIELDS[key], arm["fields"].get(key)) for key in keys]
        rows.append((arm["name"], words.seeds(arm, results), *cells))
    return head, rows


def pruned(results: Table) -> bool:
    """True where an arm dropped weights."""
    return any(arm["fields"].get("sparsity") for arm in results["arms"])


def every_field(results: Table) -> tuple[Cells, list[Cells]]:
    """A row for each field and arm."""
    head = ("field", "arm", "seeds", "mean ± deviation", "lowest", "highest", "difference [95 %]", "verdict")
    rows = []
    for field in FIELDS.values():
        for arm in results["arms"] if field.key != "sparsity" or pruned(results) else ():
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
    changes = {arm["name"]: {**arm["changes"], **chosen(arm)} for arm in results["arms"]}
    rows = [{**changes[run["arm"]], **run} for run in results["runs"]]
    varied = dict.fromkeys(key for table in changes.values() for key in table)
    first = ["arm", *varied, "seed", "state", "reason", "directory"]
    rest = [key for key in results["runs"][0] if key not in first]
    return _csv([*first, *rest], rows)


def csv_arms(results: Table) -> str:
    """Tidy: one row for each arm and field with mean, deviation, difference, speed-up and their intervals."""
    parts = {
        "": ("n", "mean", "sd", "low", "high"), "difference": ("n", "mean", "low", "high", "verdict"),
        "speedup": ("n", "of", "mean", "low", "high", "verdict"),
    }  # fmt: skip
    rows = []
    for arm in results["arms"]:
        for key in FIELDS:
            found = {"": arm["fields"][key], **{kind: arm[kind].get(key) for kind in ("difference", "speedup")}}
            cells = {_column(kind, name): (found[kind] or {}).get(name) for kind in parts for name in parts[kind]}
            rows.append({"arm": arm["name"], "against": results["against"], "field": key, **cells})
    target = results["target"] and results["target"]["accuracy"]
    return _csv([*rows[0], "target"], [{**row, "target": target} for row in rows])


def chosen(arm: Table) -> Mapping[str, object]:
    """The settings that tuning has chosen for an arm; nothing without."""
    return (arm.get("tuning") or {}).get("chosen") or {}


def markdown(results: Table) -> str:
    """The table, what to know about it, and what failed."""
    head, rows = whole(results)
    lines = [_pipes(head), "|" + "---|" * len(head), *(_pipes((_plain(row[0]), *row[1:])) for row in rows), ""]
    lines += [f"Differences are to {_plain(results['against'])}, percentages by points.", ""]
    for caption, (head, rows) in several(results):
        cells = [tuple(map(_plain, row)) for row in rows]
        lines += [f"{_plain(caption)}:", "", _pipes(head), "|" + "---|" * len(head), *map(_pipes, cells), ""]
    lines += [f"- {_plain(note)}" for note in (*results["notes"], *words.failures(results))]
    return "\n".join(lines).rstrip() + "\n"


def latex(results: Table) -> str:
    """Tabulars for \\input, one below the other; they need booktabs and nothing else."""
    remarks = [f"Differences are to {results['against']}.", *results["notes"], *words.failures(results)]
    lines = [_remark(remark) for remark in (r"Needs \usepackage{booktabs}.", *remarks)]
    lines += _tabular(*whole(results))
    for caption, (head, rows) in several(results):
        lines += ["", r"\par\medskip", _remark(caption), *_tabular(head, rows)]
    return "\n".join(lines) + "\n"


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


def _timed(arm: Table, key: str) -> Cells:
    apart = arm["speedup"].get(key)
    return spread(FIELDS[key], arm["fields"][key]), speedup(apart), speedup_verdict(apart)


def _csv(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _column(kind: str, name: str) -> str:
    return f"{kind}_{name}" if kind else name


def _remark(text: str) -> str:
    return f"% {' '.join(text.split())}"


def _tabular(head: Cells, rows: Iterable[Cells]) -> list[str]:
    columns = "l" + "".join("l" if name in _WORDS else "r" for name in head[1:])
    top = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", _row(head), r"\midrule"]
    return [*top, *map(_row, rows), r"\bottomrule", r"\end{tabular}"]


def _row(cells: Iterable[str]) -> str:
    """Braces around the first cell: one that begins with a bracket would be \\\\'s."""
    first, *rest = map(escaped, cells)
    return " & ".join([f"{{{first}}}", *rest]) + r" \\"


def _pipes(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    return re.sub(r"([\\|*_`<>])", r"\\\1", " ".join(text.split()))
