"""The pictures of docs/evidence.md: small SVG files, readable on white and on black, the same at every writing."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from horae.pure import paired
from horae.reproduce.claims import Claim
from horae.reproduce.records import Record
from horae.reproduce.words import field_of

WIDTH, ROW, MOST = 760, 26, 7  # pixels; and lines in one picture
_COLOURS = ("#2a78c2", "#d1701f", "#2e9b5b", "#a65fbf", "#c4485a", "#8a8a3a", "#5f7f8f")  # on white and on black
_STYLE = (
    "<style>text{font:13px system-ui,sans-serif;fill:#444}.b{font-weight:600}.g{stroke:#8888;stroke-width:.6;fill:none}"
    "@media(prefers-color-scheme:dark){text{fill:#ccc}}</style>"
)
_MARKS = ("circle", "square", "diamond", "up", "down", "cross", "bar")
Box = tuple[float, float, float, float]  # left, top, right, bottom


def draw(claim: Claim, record: Record) -> str:
    """The picture that a claim asks for."""
    kind = {"dots": dots, "lines": lines, "curves": curves}[claim.picture]
    return kind(claim, record)


def caption(claim: Claim, record: Record) -> str:
    """What can be seen, for who cannot see it."""
    title = field_of(claim.measure).title
    seeds = len(record.table["seeds"])
    if claim.picture == "curves":
        return f"Accuracy over simulated time, mean and range of {seeds} seeds"
    if claim.picture == "lines":
        return f"{title.capitalize()} over {claim.across.split('.')[-1].replace('_', ' ')}, {seeds} seeds"
    return f"{title.capitalize()} by arm, {seeds} seeds"


def shown_arms(claim: Claim, record: Record) -> list[dict[str, Any]]:
    """The arms that the claim names; all, if it names none of these."""
    return [arm for arm in record.arms if arm["name"] in claim.arms] or record.arms


def dots(claim: Claim, record: Record) -> str:
    """A row for each arm: every seed, and the mean as a stroke."""
    told = [(arm["name"], _numbers(arm, claim.measure)) for arm in shown_arms(claim, record)]
    shown = [(name, values) for name, values in told if values]
    scale = _scale([value for _, values in shown for value in values])
    left, bottom = 240.0, 34.0 + ROW * len(shown)
    box = (left, 24.0, WIDTH - 70.0, bottom)
    parts = _grid_x(scale, box)
    for i, (name, values) in enumerate(shown):
        y, colour = 24 + ROW * (i + 0.5), _COLOURS[0]
        parts.append(_text(left - 10, y + 4, _short(name), "end"))
        parts += [_mark(_at(value, scale, box[0], box[2]), y, colour, 0) for value in values]
        mean = sum(values) / len(values)
        x = _at(mean, scale, box[0], box[2])
        parts.append(f'<path d="M{x:.1f} {y - 9:.1f}v18" stroke="{colour}" stroke-width="2.5"/>')
        parts.append(_text(box[2] + 10, y + 4, _number(mean), "start", "b"))
    return _svg(caption(claim, record), field_of(claim.measure).title, parts, bottom + 24)


def lines(claim: Claim, record: Record) -> str:
    """The measure over the levels of a varied field, a line for each choice of the others."""
    levels, series = _series(claim, record)
    values = [value for line in series.values() for own in line.values() for value in own]
    scale, box = _scale(values), (52.0, 24.0, WIDTH - 190.0, 264.0)
    step = (box[2] - box[0]) / max(len(levels), 1)
    parts = _grid_y(scale, box)
    parts += [_text(box[0] + step * (i + 0.5), 284, _level(level), "middle") for i, level in enumerate(levels)]
    ends = []
    for number, (name, line) in enumerate(series.items()):
        colour, points = _COLOURS[number % MOST], []
        for i, level in enumerate(levels):
            own = line.get(_level(level), [])
            if not own:
                continue
            x, mean = box[0] + step * (i + 0.5) + 5 * number, sum(own) / len(own)
            points.append((x, _at(mean, scale, box[3], box[1])))
            low, high = (_at(end(own), scale, box[3], box[1]) for end in (min, max))
            parts.append(f'<path d="M{x:.1f} {low:.1f}V{high:.1f}" stroke="{colour}" stroke-width="1.4"/>')
        parts.append(_path(points, colour))
        parts += [_mark(x, y, colour, number) for x, y in points]
        ends.append((points[-1][1] if points else box[3], name, number))
    parts += _ends(ends, box)
    parts.append(_text((box[0] + box[2]) / 2, 306, claim.across.split(".")[-1].replace("_", " "), "middle"))
    return _svg(caption(claim, record), field_of(claim.measure).title, parts, 316)


def curves(claim: Claim, record: Record) -> str:
    """Accuracy over simulated hours: mean over seeds, and their range as a band."""
    arms = [arm for arm in shown_arms(claim, record) if arm.get("curve")][:MOST]
    points = [point for arm in arms for point in arm["curve"]]
    longest = max((point[0] for point in points), default=1.0) / 3600
    scale, box = _scale([100 * v for point in points for v in point[1:]]), (52.0, 24.0, WIDTH - 190.0, 264.0)
    hours = _ticks(0.0, longest)
    parts = _grid_y(scale, box)
    parts += [_text(_at(h, (0, longest), box[0], box[2]), 284, f"{h:g}", "middle") for h in hours if h <= longest]
    ends = []
    for number, arm in enumerate(arms):
        colour = _COLOURS[number]
        at = [_at(point[0] / 3600, (0, longest), box[0], box[2]) for point in arm["curve"]]
        mean, low, high = ([_at(100 * point[i], scale, box[3], box[1]) for point in arm["curve"]] for i in (1, 2, 3))
        band = [*zip(at, low, strict=True), *reversed([*zip(at, high, strict=True)])]
        around = " ".join(f"{x:.1f},{y:.1f}" for x, y in band)
        parts.append(f'<polygon points="{around}" fill="{colour}" opacity="0.18"/>')
        parts.append(_path([*zip(at, mean, strict=True)], colour))
        parts += [_mark(x, y, colour, number) for x, y in [*zip(at, mean, strict=True)][2 + number % 3 :: 6]]
        ends.append((mean[-1], arm["name"], number))
    parts += _ends(ends, box)
    parts.append(_text((box[0] + box[2]) / 2, 306, "simulated hours", "middle"))
    return _svg(caption(claim, record), "accuracy, %", parts, 316)


def _series(claim: Claim, record: Record) -> tuple[list[Any], dict[str, dict[str, list[float]]]]:
    """The levels in order, and by the rest of an arm's name its values at each."""
    levels: list[Any] = []
    series: dict[str, dict[str, list[float]]] = {}
    for arm in record.arms:
        if claim.across not in arm["changes"]:
            continue
        level = arm["changes"][claim.across]
        if level not in levels:
            levels.append(level)
        rest = [f"{v}" for key, v in arm["changes"].items() if key != claim.across]
        name = ", ".join(rest) or "one model"
        series.setdefault(name, {})[_level(level)] = _numbers(arm, claim.measure)
    return levels, series


def _numbers(arm: Mapping[str, Any], measure: str) -> list[float]:
    """An arm's values in the unit that its measure is written in."""
    factor = 100 if field_of(measure).title.endswith("%") else 1
    return [factor * value for value in arm["values"].get(measure, []) if value is not None]


def _scale(values: Sequence[float]) -> tuple[float, float]:
    """The lowest and the highest tick around the values."""
    found = paired.spread(list(values))
    low, high = (found.low, found.high) if found else (0.0, 1.0)
    ticks = _ticks(low, high)
    return ticks[0], ticks[-1]


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers from below the lowest to above the highest.

    >>> _ticks(0.2, 9.0)
    [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    """
    span = max(high - low, abs(high) * 1e-3, 1e-9)
    raw = span / 5
    power = 10.0 ** len(f"{int(raw)}") / 10 if raw >= 1 else 1.0
    while power > raw:
        power /= 10
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= raw)
    first = int(low // step)
    last = first
    while last * step < high - step * 1e-9:
        last += 1
    return [round(i * step, 10) for i in range(first, max(last, first + 1) + 1)]


def _grid_x(scale: tuple[float, float], box: Box) -> list[str]:
    parts = []
    for tick in _ticks(*scale):
        x = _at(tick, scale, box[0], box[2])
        parts += [f'<path class="g" d="M{x:.1f} {box[1]}V{box[3]}"/>', _text(x, box[3] + 16, f"{tick:g}", "middle")]
    return parts


def _grid_y(scale: tuple[float, float], box: Box) -> list[str]:
    parts = []
    for tick in _ticks(*scale):
        y = _at(tick, scale, box[3], box[1])
        parts += [f'<path class="g" d="M{box[0]} {y:.1f}H{box[2]}"/>', _text(box[0] - 8, y + 4, f"{tick:g}", "end")]
    return parts


def _ends(ends: Sequence[tuple[float, str, int]], box: Box) -> list[str]:
    """Names right of the plot, in the lines' order and 16 pixels apart at least, with their signs."""
    parts, lowest = [], -1e9
    for y, name, number in sorted(ends):
        lowest = max(y + 4, lowest + 16)
        parts.append(_mark(box[2] + 12, lowest - 4, _COLOURS[number % MOST], number))
        parts.append(_text(box[2] + 22, lowest, _short(name, 24), "start", "b"))
    return parts


def _at(value: float, scale: tuple[float, float], start: float, end: float) -> float:
    return start + (value - scale[0]) / max(scale[1] - scale[0], 1e-12) * (end - start)


def _path(points: Sequence[tuple[float, float]], colour: str) -> str:
    d = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return f'<path d="M{d}" fill="none" stroke="{colour}" stroke-width="2"/>' if points else ""


def _mark(x: float, y: float, colour: str, number: int) -> str:
    """A sign of its own for every line."""
    shapes = {
        "circle": f"M{x - 4:.1f} {y:.1f}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0",
        "square": f"M{x - 3.5:.1f} {y - 3.5:.1f}h7v7h-7z",
        "diamond": f"M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5z",
        "up": f"M{x:.1f} {y - 5:.1f}l5 9h-10z",
        "down": f"M{x:.1f} {y + 5:.1f}l5 -9h-10z",
        "cross": f"M{x - 5:.1f} {y - 1.5:.1f}h3.5v-3.5h3v3.5h3.5v3h-3.5v3.5h-3v-3.5h-3.5z",
        "bar": f"M{x - 1.5:.1f} {y - 5:.1f}h3v10h-3z",
    }
    return f'<path d="{shapes[_MARKS[number % len(_MARKS)]]}" fill="{colour}" fill-opacity="0.8"/>'


def _text(x: float, y: float, words: str, anchor: str, kind: str = "") -> str:
    name = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{name}>{html.escape(words)}</text>'


def _svg(title: str, unit: str, parts: Sequence[str], height: float) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" '
        f'height="{height:.0f}" role="img" aria-label="{html.escape(title)}">'
    )
    return "\n".join(
        [head, f"<title>{html.escape(title)}</title>", _STYLE, _text(8, 14, unit, "start"), *parts, "</svg>\n"]
    )


def _short(name: str, most: int = 32) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _level(level: Any) -> str:
    return ", ".join(f"{item:g}" for item in level) if isinstance(level, list) else f"{level}"


def _number(value: float) -> str:
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"
