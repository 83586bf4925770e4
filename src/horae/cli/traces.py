"""A trace: what is in it, in our format, and beside what the generators make."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from horae.cli.options import DataRoot, Json, data_root_of, printed
from horae.errors import ConfigError, brief
from horae.files import check_writable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from horae.population.traces import Phones, Sessions
    from horae.report.svg import Canvas

File = Annotated[Path, typer.Argument(metavar="FILE", help="A trace, here or below the data directory.")]
Out = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write it in our format: .csv, .json or .parquet.", show_default=False),
]
Plot = Annotated[
    Path | None, typer.Option(metavar="FILE.png", help="Draw it beside what the generators make.", show_default=False)
]
TITLES = {
    "share_online": "share of its time that a client is online",
    "session_s": "length of a session, seconds",
    "left_s": "seconds left online, at a random second",
    "ms_per_sample": "milliseconds per sample",
    "kbps": "bandwidth, kbit/s",
}


def trace(file: File, out: Out = None, plot: Plot = None, data_root: DataRoot = None, as_json: Json = False) -> None:
    """Say what a trace of devices or of hours holds; convert it to our format; draw it beside the generators."""
    from horae.population.traces import located, read_trace
    from horae.population.traces.figures import facts
    from horae.population.traces.tables import ENDINGS, write_trace

    for option, place, endings in (("--out", out, ENDINGS), ("--plot", plot, (".png",))):
        if place is not None and place.suffix not in endings:
            raise ConfigError(f"{option} should end in {', '.join(endings)}, got {brief(place.name)}")
        if place is not None:
            check_writable(place.parent)
    path = file if file.is_absolute() or file.exists() else located(str(file), data_root_of(data_root))
    known, form = read_trace(path)
    table: dict[str, Any] = {"file": str(path), "format": form, **facts(known)}
    for place, write in ((out, write_trace), (plot, _draw)):
        if place is not None:
            place.parent.mkdir(parents=True, exist_ok=True)
            write(known, place)
    if not printed({**table, "out": out and str(out), "plot": plot and str(plot)}, as_json):
        _tell(table)
        for place in filter(None, (out, plot)):
            Console().print(f"written: {place}", markup=False, highlight=False, soft_wrap=True)


def _tell(table: Mapping[str, Any]) -> None:
    grid = Table(box=None, show_header=False, pad_edge=False)
    grid.add_column()
    grid.add_column(overflow="fold")
    for key, value in table.items():
        words = "  ".join(f"{name} {number:g}" for name, number in value.items()) if isinstance(value, dict) else value
        grid.add_row(key.replace("_", " "), str(words))
    Console().print(grid, markup=False, highlight=False)


def _draw(known: Sessions | Phones, file: Path) -> None:
    """Real against generated, one panel for each thing the trace has. Errors: RunError."""
    from horae.explain.canvas import Panel, save
    from horae.population.traces import Phones, figures

    if isinstance(known, Phones):
        real, made = figures.speeds(known), figures.generated_speeds()
        panels = []
    else:
        hours = figures.watched_trace(known), figures.generated_hours(known)
        real, made = (each.samples for each in hours)
        by_hour = [each.by_hour for each in hours]
        panels = [Panel("share of the clients online, by hour of the trace's day", 150, partial(_day, by_hour))]
    for name, row in figures.compared(real, made).items():
        title = f"{TITLES[name]} (Kolmogorov-Smirnov distance {row['ks']:.2f})"
        panels.append(Panel(title, 170, partial(_shares, name, real[name], made[name])))
    save(file, f"{known.clients} clients of a trace, and what the generator makes at its defaults", panels)


def _day(by_hour: list[Any], axes: Axes, _: Canvas) -> None:
    from horae.explain.canvas import OURS, RIVAL

    for values, colour, name in zip(by_hour, (OURS, RIVAL), ("trace", "generated"), strict=True):
        axes.plot(range(24), values, color=colour, lw=2)
        axes.text(23.3, values[-1], name, color=colour, va="center")
    axes.set(xlim=(0, 23), ylim=(0, None), xticks=range(0, 24, 3))


def _shares(name: str, real: Any, made: Any, axes: Axes, _: Canvas) -> None:
    """Both distribution functions."""
    import numpy as np

    from horae.explain.canvas import OURS, RIVAL

    for values, colour, label, height in ((real, OURS, "trace", 0.9), (made, RIVAL, "generated", 0.72)):
        ordered = np.sort(values)
        axes.plot(ordered, np.arange(1, ordered.size + 1) / ordered.size, color=colour, lw=2, drawstyle="steps-post")
        axes.text(1.015, height, label, color=colour, transform=axes.transAxes)
    axes.set(ylim=(0, 1), yticks=[0, 0.5, 1])
    if name != "share_online":
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,g}")
