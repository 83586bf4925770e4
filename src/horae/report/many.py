"""One page for several runs: their numbers, what differs between them, their curves, and each run folded away."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from horae.files import write_whole
from horae.report import sections, words
from horae.report.figures.curves import MANY, Curve, fleet
from horae.report.figures.over_clients import accuracy_over_clients
from horae.report.html import foot, unfinished, version, write_report
from horae.report.loading import Run, read_run
from horae.report.page import details, figure, page, paragraph, section
from horae.report.places import who_is_where
from horae.report.pruned import pruning
from horae.report.tables import NONE, count, nbytes, number, plural, seconds, share, signed, table, text

HEAD: tuple[str, ...] = (
    "run",
    "clustering",
    "seed",
    "mean accuracy",
    "worst tenth",
    "gain, points",
    "cohorts",
    "Rand index",
)
HEAD += ("simulated time", "sent both ways")
MANY_WORDS = " Grey: all runs but the best and the worst on average."
MISSING = " Left out: runs that have no accuracy of every client, or not yet."


def write_report_of(directories: Sequence[Path], out: Path) -> Path:
    """Write one page about these runs, and say where; about one run it is that run's own page.

    Errors: RunError for a directory that is no run or a file that is broken; nothing is written then.
    """
    unique = list({directory.resolve(): directory for directory in reversed(directories)}.values())[::-1]
    if len(unique) == 1:
        return write_report(unique[0], out)
    runs = [read_run(directory) for directory in unique]
    fields = differences(runs)
    curves = fleet(
        [run.main for run in runs],
        [f"{i + 1} ·\N{NO-BREAK SPACE}{title}" for i, title in enumerate(titles(runs, fields))],
    )
    parts = [
        _header(runs, curves),
        _differences(runs, curves, fields),
        sections.over_time(curves),
        _clients(curves),
        section(
            "Run by run", *(_folded(run, curve, i) for i, (run, curve) in enumerate(zip(runs, curves, strict=True)))
        ),
    ]
    write_whole(out, page(f"{len(runs)} runs · horae", parts, foot(runs)))
    return out


def differences(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """The fields whose values differ between the experiments, with each run's value; None where it has no such field.

    A field that only one member of a family has says nothing beside the member's name, and is left out.
    """
    tables = [{**run.settings, "horae version": version(run.main)} for run in runs]
    found = {}
    for field in dict.fromkeys(field for one in tables for field in one):
        values = [one.get(field) for one in tables]
        alike = len({json.dumps(value, default=str) for value in values if value is not None}) == 1
        member = field.partition(".")[0] + ".name"
        if not alike or (None in values and len({one.get(member) for one in tables}) == 1):
            found[field] = values
    return found


def titles(runs: Sequence[Run], fields: dict[str, list[Any]]) -> list[str]:
    """What to call each run: by what differs if that is short and tells them apart, else by its directory."""
    telling = [(field, values) for field, values in fields.items() if field not in ("name", "baseline")]
    words = [", ".join(_said(field, values[i]) for field, values in telling) for i in range(len(runs))]
    if len(set(words)) == len(runs) and max(map(len, words)) <= 40:
        return words
    names = [run.directory.resolve().name for run in runs]
    return names if len(set(names)) == len(names) else [str(run.directory) for run in runs]


def _said(field: str, value: Any) -> str:
    """A field's value in a title: a member by its name alone."""
    key = field.rpartition(".")[2]
    return _plain(value) if key == "name" else f"{key} {_plain(value)}"


def _plain(value: Any) -> str:
    """A field's value for people."""
    if value is None:
        return NONE
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _header(runs: Sequence[Run], curves: Sequence[Curve]) -> str:
    """The headline, what is not finished, and a row for each run."""
    names = ", ".join(dict.fromkeys(run.name for run in runs))
    known = sorted(run.main.summary["accuracy"] for run in runs if run.main.summary.get("accuracy") is not None)
    lowest, highest = (share(known[i]) if known else NONE for i in (0, -1))
    spread = f"{lowest} on average" if lowest == highest else f"from {lowest} to {highest} on average"
    title = f'<p class="over">{text(names)}</p>\n<h1>{text(f"{len(runs)} runs, {spread}")}</h1>'
    late = "".join(unfinished(run, curve.sign + curve.title) for run, curve in zip(runs, curves, strict=True))
    rows = [_row(run, curve) for run, curve in zip(runs, curves, strict=True)]
    return f"<header>{title}\n{late}{table(HEAD, rows, 'The runs')}</header>"


def _row(run: Run, curve: Curve) -> tuple[str, ...]:
    """A run in the first table."""
    facts, other = run.main.summary, run.equal
    gain = facts["accuracy"] - other.summary["accuracy"] if other and facts.get("accuracy") is not None else None
    cells = (
        (share, facts.get("accuracy")), (share, facts.get("accuracy_worst10")), (signed, gain),
        (count, facts.get("cohorts")), (number, facts.get("adjusted_rand_index")), (seconds, facts.get("simulated_s")),
        (nbytes, (facts.get("bytes_up") or 0) + (facts.get("bytes_down") or 0)),
    )  # fmt: skip
    seed = run.main.last("run").get("seed", NONE)
    return curve.sign + curve.title, run.main.clustering, str(seed), *(say(value) for say, value in cells)


def _differences(runs: Sequence[Run], curves: Sequence[Curve], fields: dict[str, list[Any]]) -> str:
    """Where each run lies and the fields that differ, the longer side of the table downwards."""
    columns = [("directory", [str(run.directory) for run in runs])]
    columns += [(field, [_plain(value) for value in values]) for field, values in fields.items()]
    lead = "Every other field of their experiment.toml is the same." if fields else "Their experiments are the same."
    if any(field.endswith(".name") for field in fields):
        lead += " Fields that only one of several members has are left out."
    if any(None in values for values in fields.values()):
        lead += " A dash: this run has no such field."
    if len(fields) > len(runs):
        head = ("field", *(curve.title for curve in curves))
        rows = [(name, *values) for name, values in columns]
    else:
        head = ("run", *(name for name, _ in columns))
        rows = [(curve.title, *(values[i] for _, values in columns)) for i, curve in enumerate(curves)]
    return section("What differs", paragraph(text(lead), "soft"), table(head, rows, "Fields that differ", words=True))


def _clients(curves: Sequence[Curve]) -> str:
    """The distributions over clients of their final accuracy, overlaid and in numbers."""
    shown = [curve for curve in curves if curve.arm.ranked.size]
    if not shown:
        return ""
    columns = {curve.sign + curve.title: sections.spread(curve.arm) for curve in shown}
    rows = [(title, *map(share, column.values())) for title, column in columns.items()]
    head = ("run", *next(iter(columns.values())))
    caption = sections.RANKED + MANY_WORDS * (len(curves) > MANY) + MISSING * (len(shown) < len(curves))
    picture = figure(accuracy_over_clients("clients", shown), caption)
    return section("Who is served how well", picture, table(head, rows, "Final test accuracy over clients"))


def _folded(run: Run, curve: Curve, i: int) -> str:
    """One run's own sections, folded away."""
    about = f"{run.name} · {plural(run.main.last('run').get('clients') or 0, 'client')} · {run.directory}"
    prefix = f"run{i + 1}-"
    body = [
        paragraph(text(about), "over"),
        sections.cohorts(run.main, prefix, 3),
        who_is_where(run.main, prefix, 3),
        pruning(run.main, 3),
        sections.costs(run.main, run.equal, 3),
    ]
    told = f"{curve.sign}{curve.title}: {words.headline(run.main, run.equal)}"
    return details(told, "\n".join(body))
