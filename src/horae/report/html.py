"""report.html: one file that shows a run. It opens from a file path, needs no network, and is always the same bytes."""

from __future__ import annotations

import html
from pathlib import Path

from horae.report import sections, words
from horae.report.page import details, page, paragraph, section
from horae.report.reading import Arm, read_arm, read_text
from horae.report.tables import NONE, plural, text

PAIRED = "Both were trained on the same clients, devices and hours, from the same initial model."


def write_report(directory: Path) -> Path:
    """Write `report.html` beside the files it shows, and say where.

    Reads events.jsonl, summary.json and experiment.toml, and the log and summary of `baseline/` if there is one.
    Errors: RunError for a missing or broken file.
    """
    ours = read_arm(directory)
    rival = read_arm(directory / "baseline") if (directory / "baseline" / "events.jsonl").exists() else None
    parts = [
        _header(ours, rival),
        sections.over_time(ours, rival),
        sections.cohorts(ours),
        sections.clients(ours, rival),
        sections.who_is_where(ours),
        sections.costs(ours, rival),
        _again(ours, read_text(directory / "experiment.toml")),
    ]
    foot = text(f"Drawn by horae {_version(ours)} from events.jsonl and summary.json.")
    file = directory / "report.html"
    file.write_text(page(f"{_name(ours)} · horae", parts, foot), encoding="utf-8")
    return file


def _header(ours: Arm, rival: Arm | None) -> str:
    """The headline and the big numbers."""
    run = ours.last("run")
    over = f"{_name(ours)} · {plural(run.get('clients') or 0, 'client')} · seed {run.get('seed', NONE)}"
    title = f"<h1>{text(words.headline(ours, rival))}</h1>"
    lead = paragraph(f"{text(words.better_and_worse(ours, rival))} {PAIRED}", "soft") if rival else ""
    tiles = "".join(map(_tile, words.tiles(ours, rival)))
    return f'<header><p class="over">{text(over)}</p>\n{title}\n{lead}\n<dl class="tiles">{tiles}</dl></header>'


def _tile(tile: words.Tile) -> str:
    remark = f"<dd>{text(tile.remark)}</dd>" if tile.remark else ""
    return f'<div><dt>{text(tile.name)}</dt><dd class="big">{text(tile.value)}</dd>{remark}</div>\n'


def _again(arm: Arm, experiment: str) -> str:
    """How to repeat the run."""
    why, seed = arm.last("end").get("reason", NONE), arm.last("run").get("seed", NONE)
    facts = f"With horae {_version(arm)} and seed {seed} this command does the same again. The run ended: {why}."
    command = "<pre><code>horae run experiment.toml</code></pre>"
    source = f"<pre><code>{html.escape(experiment)}</code></pre>"
    toml = details("experiment.toml, with every default written out", source)
    return section("Do it again", paragraph(text(facts)), command, toml)


def _name(arm: Arm) -> str:
    return str(arm.summary.get("name") or arm.last("run").get("name") or "run")


def _version(arm: Arm) -> str:
    return str(arm.last("run").get("horae", NONE))
