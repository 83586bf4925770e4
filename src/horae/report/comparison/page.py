"""results.html: the comparison as one file that needs no network."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from horae.report.comparison import figures, speedups, tables, words
from horae.report.comparison.fields import FIELDS, Table
from horae.report.page import beside, details, figure, page, paragraph, section
from horae.report.reading import Doubles
from horae.report.tables import plural, table, text

_SCORE = '{"event":"score"'  # how such a line of events.jsonl begins
TOLD = (
    "accuracy_best10", "accuracy_variance", "cohorts", "adjusted_rand_index", "simulated_s", "bytes_up", "bytes_down",
    "sparsity",
)  # fmt: skip
LISTED = ("accuracy", "accuracy_worst10", "cohorts", "simulated_s", "train_wall_s")


def comparison_page(results: Table, directory: Path) -> str:
    """The whole page. directory: where the runs lie that `results` tells of."""
    drawn = figures.styles(results)
    parts = [
        _header(results),
        section(
            "Arm by arm", *_tables(results, drawn), *(paragraph(text(note), "soft") for note in results["notes"][1:])
        ),
        section("Accuracy over time", _over_time(results, directory, drawn)),
        section("Seed by seed", *_differences(results, drawn)),
        section("To the target", *_race(results, drawn)),
        section("What the methods cost", *_costs(results, drawn)),
        section("How the arms were tuned", *_tuned(results)),
        section("Every number", *_everything(results)),
        _again(results, directory),
    ]
    foot = text(f"Drawn by horae {results['horae']} from results.json and the runs' events.jsonl.")
    return page(f"{results['name']} · horae", parts, foot)


def _header(results: Table) -> str:
    n, k = len(results["arms"]), len(results["seeds"])
    over = f"{results['name']} · {plural(n, 'arm')} · {plural(k, 'seed')} · {plural(len(results['runs']), 'run')}"
    failed = "".join(paragraph(text(words), "notice") for words in words.failures(results))
    lead = paragraph(text(results["notes"][0]), "soft")
    title = f"<h1>{text(words.headline(results))}</h1>"
    return f'<header><p class="over">{text(over)}</p>\n{title}\n{failed}{lead}</header>'


def _tables(results: Table, drawn: Mapping[str, figures.Style]) -> list[str]:
    """A table for each judged field, and one for what the arms have become and taken."""
    told = [key for key in TOLD if any(arm["fields"][key] for arm in results["arms"])]
    grids = [(tables.judged(results, key), key) for key in tables.JUDGED]
    named = [((head, _signed(rows, drawn)), head[2]) for (head, rows), _ in grids]
    head, rows = tables.described(results, told)
    against = f"difference to {results['against']} in points"
    captions = [(grid, f"{title.split(',')[0].capitalize()}, and its {against}") for grid, title in named]
    captions.append(((head, _signed(rows, drawn)), "What the arms have become, and what they took"))
    return [table(head, rows, caption) for (head, rows), caption in captions]


def _signed(rows: Iterable[tuple[str, ...]], drawn: Mapping[str, figures.Style]) -> list[tuple[str, ...]]:
    """Rows with each arm's marker before its name."""
    return [(f"{drawn[name].sign}\u00a0{name}" if name in drawn else name, *cells) for name, *cells in rows]


def _over_time(results: Table, directory: Path, drawn: Mapping[str, figures.Style]) -> str:
    """The chart, if there are scores."""
    curves: dict[str, list[tuple[Doubles, Doubles]]] = {}
    for run in results["runs"]:
        if run["arm"] in drawn and run["state"] == "finished":
            scores = _scores(directory / run["directory"] / "events.jsonl")
            if scores[0].size:
                curves.setdefault(run["arm"], []).append(scores)
    if not curves:
        return ""
    caption = "Mean over clients of the test accuracy of their own cohort's model, averaged over seeds."
    caption += " Band: from the lowest to the highest seed. A run that has ended keeps its last accuracy."
    return figure(figures.accuracy_over_time(curves, drawn), caption + _left_out(results, drawn))


def _differences(results: Table, drawn: Mapping[str, figures.Style]) -> list[str]:
    """A chart for each judged field, if any two arms share a seed."""
    pictures = [
        figure(figures.differences(results, key, drawn), title)
        for key, title in (
            ("accuracy", "Mean over all clients."),
            ("accuracy_worst10", "Mean over the worst tenth of clients."),
        )
        if any(arm["difference"].get(key) for arm in results["arms"] if arm["name"] in drawn)
    ]
    if not pictures:
        return []
    lead = f"Each seed against {results['against']} on the same seed. A mark is a seed, the upright stroke their mean,"
    lead += " the bar its 95 % interval: where it crosses the line at zero, the arms are not distinguishable."
    return [paragraph(text(lead + _left_out(results, drawn)), "soft"), beside(*pictures)]


def _race(results: Table, drawn: Mapping[str, figures.Style]) -> list[str]:
    """Time, participations and bytes to the target, and how many times faster than the reference."""
    if not results["target"]:
        return []
    grids = [tables.timed(results, key) for key in tables.TIMED]
    shown = [table(head, _signed(rows, drawn), head[2].capitalize()) for head, rows in grids]
    pictures = [
        figure(speedups.speedups(results, key, drawn), FIELDS[key].title.capitalize() + ".")
        for key in tables.TIMED
        if speedups.told(results, key, drawn)
    ]
    lead = f"{words.target(results)}. A mark is the geometric mean over seeds, the bar its 95 % interval: where it"
    lead += f" crosses 1, the arms are not distinguishable.{_left_out(results, drawn)}"
    return [paragraph(text(lead), "soft"), *([beside(*pictures)] if pictures else []), *shown]


def _costs(results: Table, drawn: Mapping[str, figures.Style]) -> list[str]:
    """The columns of Auxo's Table 1, measured, and the ledgers."""
    if not any(arm["ledger"] for arm in results["arms"]):
        return []
    head, rows = tables.described(results, tables.COSTS)
    whole = table(*tables.ledgers(results), "By purpose, means over seeds")
    return [table(head, _signed(rows, drawn), words.COSTS), details("The ledgers, by purpose", whole)]


def _tuned(results: Table) -> list[str]:
    return [table(*tables.tuned(results), words.tuned(results))] if results["tuning"] else []


def _left_out(results: Table, drawn: Mapping[str, figures.Style]) -> str:
    """Says so where not every arm is drawn."""
    missing = len(results["arms"]) - len(drawn)
    return f" Not drawn: the {plural(missing, 'arm')} with the lowest accuracy." if missing else ""


def _everything(results: Table) -> list[str]:
    fields = table(*tables.every_field(results), "Every field by arm")
    runs = table(*tables.every_run(results, LISTED), "Every run")
    return [details("Every field, arm by arm", fields), details("Every run", runs)]


def _again(results: Table, directory: Path) -> str:
    """How to repeat the comparison, and what all arms have in common."""
    lead = (
        "In the directory of this page this command does the same again; every run's own experiment is in experiments/."
    )
    try:
        base = (directory / "base.toml").read_text(encoding="utf-8")
    except OSError:
        base = ""
    command = f"<pre><code>{html.escape(results['command'])}</code></pre>"
    shown = details("base.toml, which the arms change", f"<pre><code>{html.escape(base)}</code></pre>") if base else ""
    return section("Do it again", paragraph(text(lead)), command, shown)


def _scores(log: Path) -> tuple[Doubles, Doubles]:
    """Times and accuracies of a log; empty where there is none."""
    try:
        with log.open(encoding="utf-8") as lines:
            events = [json.loads(line) for line in lines if line.startswith(_SCORE)]
    except (OSError, ValueError):
        events = []
    told = [(event["at_s"], event["accuracy"]) for event in events if event["accuracy"] is not None]
    columns = np.array(told, np.float64).reshape(-1, 2).T
    return columns[0], columns[1]
