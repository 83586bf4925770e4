"""report.html: one file that shows a run. It opens from a file path, needs no network, and is always the same bytes."""

from __future__ import annotations

import html
import shlex
from pathlib import Path

from horae.files import write_whole
from horae.report import sections, words
from horae.report.figures.curves import pair
from horae.report.loading import Run, read_run
from horae.report.page import details, page, paragraph, section
from horae.report.places import who_is_where
from horae.report.pruned import pruning
from horae.report.reading import Arm
from horae.report.tables import NONE, plural, text

PAIRED = "Both were trained on the same clients, devices and hours, from the same initial model."


def write_report(directory: Path, out: Path | None = None) -> Path:
    """Write a run's page, `report.html` beside the files it shows unless told otherwise, and say where.

    Reads events.jsonl, summary.json and experiment.toml, and the log and summary of `baseline/` if there is one. A run
    that is not finished is shown as far as it went. Errors: RunError for a missing or broken file; nothing is written.
    """
    run = read_run(directory)
    ours, rival = run.main, run.rival
    parts = [
        header(run),
        sections.over_time(pair(ours, rival), ours),
        sections.cohorts(ours),
        sections.clients(ours, run.equal),
        who_is_where(ours),
        pruning(ours),
        sections.costs(ours, run.equal),
        _again(run),
    ]
    file = out or directory / "report.html"
    write_whole(file, page(f"{run.name} · horae", parts, foot([run])))
    return file


def header(run: Run) -> str:
    """The headline and the big numbers."""
    ours, rival, first = run.main, run.equal, run.main.last("run")
    over = f"{run.name} · {plural(first.get('clients') or 0, 'client')} · seed {first.get('seed', NONE)}"
    title = f"<h1>{text(words.headline(ours, rival))}</h1>"
    lead = paragraph(f"{text(words.better_and_worse(ours, rival))} {PAIRED}", "soft") if rival else ""
    tiles = "".join(map(_tile, words.tiles(ours, rival)))
    body = f'<p class="over">{text(over)}</p>\n{title}\n{unfinished(run)}{lead}'
    return f'<header>{body}\n<dl class="tiles">{tiles}</dl></header>'


def unfinished(run: Run, name: str = "") -> str:
    """How far a run came and how to go on, for each arm that has not come to its end; nothing for one that has.

    name: of the run, among others.
    """
    arms = (("", run.main), ("the arm it is compared with: ", run.rival))
    late = [f"{which}{words.progress(arm, run.settings)}" for which, arm in arms if arm and not arm.finished]
    command = f"<code>horae run --resume {html.escape(shlex.quote(str(run.directory)))}</code>"
    said = f"Not finished{f', {name}' if name else ''}: {'; '.join(late)}. Go on with"
    return paragraph(f"{text(said)} {command}.", "notice") if late else ""


def foot(runs: list[Run]) -> str:
    """What the page was made of."""
    versions = sorted({version(run.main) for run in runs})
    return text(f"Drawn by horae from events.jsonl and summary.json of horae {', '.join(versions)}.")


def version(arm: Arm) -> str:
    """The version of horae that wrote an arm's log."""
    return str(arm.last("run").get("horae", NONE))


def _tile(tile: words.Tile) -> str:
    remark = f"<dd>{text(tile.remark)}</dd>" if tile.remark else ""
    return f'<div><dt>{text(tile.name)}</dt><dd class="big">{text(tile.value)}</dd>{remark}</div>\n'


def _again(run: Run) -> str:
    """How to repeat the run."""
    if not run.experiment:
        return ""
    ended, seed = run.main.last("end").get("reason"), run.main.last("run").get("seed", NONE)
    facts = f"With horae {version(run.main)} and seed {seed} this command does the same again."
    facts += f" The run ended: {ended}." if ended else ""
    command = "<pre><code>horae run experiment.toml</code></pre>"
    source = f"<pre><code>{html.escape(run.experiment)}</code></pre>"
    toml = details("experiment.toml, with every default written out", source)
    return section("Do it again", paragraph(text(facts)), command, toml)
