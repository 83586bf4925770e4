"""What alignment makes of one client's samples, shown to that client alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from horae.cli.options import DataRoot, File, Json, Settings, data_root_of, printed
from horae.errors import require
from horae.settings import parse_setting

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from horae.experiment import Experiment
    from horae.population import Population
    from horae.report.svg import Canvas
    from horae.types import Doubles

Client = Annotated[int, typer.Option(metavar="ID", help="Whose samples.", show_default=False)]
Explain = Annotated[bool, typer.Option("--explain", help="Show every label, and draw the picture.")]
Seed = Annotated[int | None, typer.Option(help="The experiment's seed.")]
Out = Annotated[
    Path | None, typer.Option(metavar="FILE.png", help="The picture (with --explain: align-client-ID.png).")
]
MOST = 40  # labels that are shown


def align(
    file: File = None,
    *,
    client: Client,
    explain: Explain = False,
    settings: Settings = None,
    seed: Seed = None,
    out: Out = None,
    data_root: DataRoot = None,
    as_json: Json = False,
) -> None:
    """What alignment makes of one client's own samples, worked out here; nothing is sent anywhere."""
    from horae.alignment import explained
    from horae.pure.streams import stream

    experiment = aligned(file, settings, seed)
    people = _people(experiment, data_root_of(data_root))
    require(0 <= client < people.clients, "--client", f"be in [0, {people.clients}), a client's number", client)
    target, counted = census(people, experiment.seed)
    labels, alignment = people.y[people.train.row(client)], experiment.parts["alignment"]
    found = explained(alignment, labels, target, stream(experiment.seed, "alignment", 0, client))
    mode = str(getattr(alignment, "mode", experiment.names()["alignment"]))
    facts = {"client": client, "clients": people.clients, "clients_counted": counted, "mode": mode, **found}
    picture = out or (Path(f"align-client-{client}.png") if explain else None)
    if picture is not None:
        draw(facts, picture)
    facts["picture"] = None if picture is None else str(picture)
    if not printed(facts, as_json):
        _show(facts, explain)


def aligned(file: Path | None, settings: list[str] | None, seed: int | None) -> Experiment:
    """The experiment; where it aligns nothing and no other method is named, with Halor's defaults in its place."""
    from horae.alignment import Off
    from horae.experiment import load

    changes = dict(map(parse_setting, settings or [])) | ({} if seed is None else {"seed": seed})
    others = {key: value for key, value in changes.items() if not key.startswith("alignment.")}
    if "alignment.name" not in changes and isinstance(load(file, others).parts["alignment"], Off):
        changes["alignment.name"] = "halor"
    experiment = load(file, changes)
    off = isinstance(experiment.parts["alignment"], Off)
    require(not off, "alignment.name", "be a method that re-organises samples", "off", "halor is one")
    return experiment


def census(people: Population, seed: int) -> tuple[Doubles, int]:
    """The true share of each label in the population, as a census would tell, and how many clients were counted."""
    from horae.alignment.common import shares
    from horae.population.heterogeneity import label_counts, some_clients
    from horae.population.rows import Ragged

    some = some_clients(people, seed)
    return shares(label_counts(people, Ragged.of(people.train.rows(some))).sum(axis=0)), int(some.size)


def _people(experiment: Experiment, data_root: Path) -> Population:
    """The experiment's clients, with the labels that they have in a run. Errors: ConfigError where there are none."""
    from horae.population.harm import poison

    people = experiment.parts["population"].build(experiment.seed, data_root)
    fit = people.task == "classification"
    require(fit, "population", "have samples with a label each to count", people.task, "choose a classification")
    return poison(people, experiment.harm, experiment.seed)


def _show(facts: dict[str, Any], explain: bool) -> None:
    """A row for each label if asked for, and what it comes to."""
    console = Console()
    if explain:
        grid = Table(box=None, header_style="bold", pad_edge=False)
        for name in ("label", "samples", "own share", "population", "samples after", "weight each", "share after"):
            grid.add_column(name, justify="right")
        for row in shown(facts):
            weight = "–" if row["weight_after"] is None else f"{row['weight_after']:.2f}"
            counts, part = (f"{row['samples']:,}", f"{row['samples_after']:,}"), (row["share"], row["target"])
            own, target = (f"{share:.1%}" for share in part)
            grid.add_row(str(row["label"]), counts[0], own, target, counts[1], weight, f"{row['share_after']:.1%}")
        console.print(grid)
        if len(facts["labels"]) > MOST:
            console.print(f"and {len(facts['labels']) - MOST:,} labels more: --json has them all", highlight=False)
        console.print()
    for line in words(facts):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def shown(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """The labels that there is room for: those with the largest shares, in order."""
    rows = facts["labels"]
    largest = sorted(rows, key=lambda row: -max(row["share"], row["target"], row["share_after"]))[:MOST]
    return sorted(largest, key=lambda row: int(row["label"]))


def words(facts: dict[str, Any]) -> list[str]:
    """What alignment comes to for this client, in lines."""
    held = sum(row["samples"] > 0 for row in facts["labels"])
    whose = f"client {facts['client']} of {facts['clients']:,}: {facts['samples']:,} samples of {held}"
    near = "no nearer" if facts["distance_after"] > facts["distance_before"] - 5e-4 else "nearer"
    lines = [
        f"{whose} of {len(facts['labels'])} labels; {facts['mode']} keeps {facts['samples_after']:,}",
        f"distance to the population's labels (total variation): {facts['distance_before']:.3f} before,"
        f" {facts['distance_after']:.3f} after: {near}",
        f"unfixable: {facts['unfixable']:.3f}, the population's share of labels that the client does not hold",
        f"the population's shares are the true ones of {facts['clients_counted']:,} clients, as a census would tell",
    ]
    return [*lines, f"picture: {facts['picture']}"] if facts["picture"] else lines


def draw(facts: dict[str, Any], file: Path) -> None:
    """The picture: of each label the client's share before, the population's, the client's share after."""
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    from horae.explain.canvas import OURS, PAPER, RIVAL, SOFT, Panel, save

    rows = shown(facts)
    lacking = [row["samples"] == 0 for row in rows]

    def plot(axes: Axes, canvas: Canvas) -> None:
        at = np.arange(len(rows))
        axes.bar(at - 0.27, [row["share"] for row in rows], 0.25, color=RIVAL, label="before")
        both = [(held, row["target"]) for held, row in zip(np.logical_not(lacking), rows, strict=True)]
        axes.bar(at, [share * held for held, share in both], 0.25, color=SOFT, label="population")
        axes.bar(at + 0.27, [row["share_after"] for row in rows], 0.25, color=OURS, label="after")
        if any(lacking):
            hollow = [share * (not held) for held, share in both]
            axes.bar(at, hollow, 0.25, facecolor=PAPER, edgecolor=SOFT, hatch="///", label="population,\nnot held")
        axes.set_xticks(at, [str(row["label"]) for row in rows], fontsize=12 if len(rows) <= 20 else 8)
        axes.set_xlabel("label" if len(rows) == len(facts["labels"]) else f"the {MOST} labels with the largest shares")
        axes.yaxis.set_major_locator(MaxNLocator(6))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False)

    apart = f"distance {facts['distance_before']:.3f} before, {facts['distance_after']:.3f} after"
    title = f"share of each label; {apart}, unfixable {facts['unfixable']:.3f}"
    save(file, f"Client {facts['client']}: its labels before and after {facts['mode']}", [Panel(title, 320, plot)])
