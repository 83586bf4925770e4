"""The page and the picture of `benchmarks/data_plane.py`."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

ORDER = ("plain", "shm", "shm anew", "file (disk)", "Redis", "ZeroMQ")
COLOURS = dict(zip(ORDER, ("#777777", "#0072B2", "#56B4E9", "#009E73", "#D55E00", "#CC79A7"), strict=True))
OPS = {False: "broadcast", True: "round trip"}
Row = dict[str, Any]


def page(found: dict[str, Any]) -> list[str]:
    """The lines of the page."""
    about, rows = found["machine"], with_ratios(found["rows"])
    loads = [row["load"] for row in rows]
    lines = [
        "Made by `python -m benchmarks.data_plane`.",
        "",
        f"{about['cpu']}, {about['cores']} cores that other jobs kept busy (load {min(loads):.1f} to {max(loads):.1f});"
        f" python {about['python']}, numpy {about['numpy']}; {about['date']}.",
        f"One model of 20 arrays to {found['clients']} tasks on {found['workers']} worker processes (broadcast); and as"
        f" many updates of its size back, added up as they come (round trip). `plain`: arrays travel inside tasks and"
        " answers. `shm`: files in /dev/shm, read in place, checked once by each worker, which keeps the model for its"
        " next task; `shm anew`: nothing is kept, as if every task had a process of its own. `file`, Redis, ZeroMQ:"
        " ProxyStore's connectors, the model kept by workers too.",
        "Seconds: median of the repetitions. Times plain: median of the ratios within each repetition (least - most);"
        " below 1 the carrier loses. *: once, it took more than 40 s.",
    ]
    for executor in dict.fromkeys(row["executor"] for row in rows):
        lines += ["", f"**{executor}**", "", *table([row for row in rows if row["executor"] == executor])]
    lines += ["", *verdicts(rows)]
    missing = [name for name in ORDER if name not in {row["carrier"] for row in rows}]
    return [*lines, *(["", f"Not installed here: {', '.join(missing)}."] if missing else [])]


def with_ratios(rows: list[Row]) -> list[Row]:
    """Each row with its median and what plain took, in the same repetition, over what it took."""
    plain = {(r["executor"], r["megabytes"], r["back"]): r["seconds"] for r in rows if r["carrier"] == "plain"}
    out = []
    for row in rows:
        pairs = zip(plain[row["executor"], row["megabytes"], row["back"]], row["seconds"], strict=False)
        out.append({**row, "median": statistics.median(row["seconds"]), "ratios": [p / s for p, s in pairs]})
    return out


def table(rows: list[Row]) -> list[str]:
    """A line for each size and way, a column for each carrier."""
    names = [name for name in ORDER if any(row["carrier"] == name for row in rows)]
    lines = ["| MB | | " + " | ".join(names) + " |", "|---" * (len(names) + 2) + "|"]
    for megabytes, back in sorted({(row["megabytes"], row["back"]) for row in rows}):
        here = {r["carrier"]: r for r in rows if (r["megabytes"], r["back"]) == (megabytes, back)}
        cells = [cell(here[name]) if name in here else "" for name in names]
        lines.append(f"| {megabytes} | {OPS[back]} | " + " | ".join(cells) + " |")
    return lines


def cell(row: Row) -> str:
    """Seconds, and how many times as fast as plain."""
    star = "*" if len(row["seconds"]) == 1 else ""
    seconds = f"{row['median']:.3g} s{star}"
    if row["carrier"] == "plain":
        return seconds
    low, middle, high = min(row["ratios"]), statistics.median(row["ratios"]), max(row["ratios"])
    return f"{seconds}, {times(middle)} ({times(low)} - {times(high)})"


def times(ratio: float) -> str:
    """Two digits, and no powers of ten."""
    return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.2g}"


def verdicts(rows: list[Row]) -> list[str]:
    """The targets, met or not; and who loses."""
    wanted = (("process pool", 100, 10.0), ("Parsl", 10, 3.0), ("Parsl", 100, 5.0))
    lines = []
    for executor, megabytes, least in wanted:
        here = {
            row["carrier"]: statistics.median(row["ratios"])
            for row in rows
            if (row["executor"], row["megabytes"], row["back"]) == (executor, megabytes, False)
        }
        if "shm" in here:
            lines.append(
                f"- {executor}, broadcast of {megabytes} MB by `shm`: {times(here['shm'])} times plain; {least:g}"
                f" were asked for: {'reached' if here['shm'] >= least else 'missed'};"
                f" {times(here['shm anew'])} where workers keep nothing."
            )
    lost = [
        f"{r['carrier']} ({r['executor']}, {r['megabytes']} MB {OPS[r['back']]}: {times(ratio)})"
        for r in rows
        if (ratio := statistics.median(r["ratios"])) < 1
    ]
    return [*lines, f"- Slower than plain: {'; '.join(lost) or 'nobody'}."]


def draw(found: dict[str, Any], file: Path) -> None:
    """Seconds over size, a panel for each executor and way."""
    rows = with_ratios(found["rows"])
    panels = list(dict.fromkeys((row["executor"], row["back"]) for row in rows))
    figure = Figure(figsize=(3.4 * len(panels), 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    for i, (axes, (executor, back)) in enumerate(
        zip(figure.subplots(1, len(panels), squeeze=False, sharey=True)[0], panels, strict=True)
    ):
        for name in ORDER:
            line = [r for r in rows if (r["executor"], r["back"], r["carrier"]) == (executor, back, name)]
            if not line:
                continue
            x, y = [r["megabytes"] for r in line], [r["median"] for r in line]
            axes.plot(x, y, marker="o", markersize=4, color=COLOURS[name], label=name)
            axes.fill_between(
                x, [min(r["seconds"]) for r in line], [max(r["seconds"]) for r in line], color=COLOURS[name], alpha=0.15
            )
        axes.set(xscale="log", yscale="log", title=f"{executor}, {OPS[back]}", xlabel="model, MB")
        axes.set_xticks([1, 10, 100], ["1", "10", "100"])
        axes.minorticks_off()
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", alpha=0.3)
        if not i:
            axes.set_ylabel(f"seconds for {found['clients']} tasks")
            axes.legend(frameon=False, fontsize=8)
    figure.savefig(file, dpi=120)
