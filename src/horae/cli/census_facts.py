"""What a census came to, beside the plain sums: for JSON, and for people."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from horae.census import Result, Terms

DELTA = 1e-5


def facts_of(results: list[Result], held: Mapping[int, NDArray[np.int64]], terms: Terms) -> dict[str, Any]:
    """What came out, for JSON and for people."""
    epochs = [epoch_of(result, held, terms) for result in results]
    last, costs = epochs[-1], [epoch["bytes"] for epoch in epochs]
    names = ("transport", "segments", "labels", "degree", "threshold", "colluders", "n_min", "noise", "hop_s")
    return {
        "exact": all(epoch["exact"] for epoch in epochs),
        "within_noise": all(epoch["within_noise"] for epoch in epochs),
        "survivors": len(last["survivors"]),
        "dropped": len(last["dropped"]),
        "absent": len(last["absent"]),
        "refused": sum(len(epoch["refused"]) for epoch in epochs),
        "attempts": sum(epoch["attempts"] for epoch in epochs),
        "bytes_per_client": round(sum(cost["up_mean"] + cost["down_mean"] for cost in costs) / len(costs)),
        "bytes_up_mean": round(sum(cost["up_mean"] for cost in costs) / len(costs)),
        "bytes_up_max": max(cost["up_max"] for cost in costs),
        "bytes_down_mean": round(sum(cost["down_mean"] for cost in costs) / len(costs)),
        "bytes_down_max": max(cost["down_max"] for cost in costs),
        "seconds": sum(epoch["seconds"] for epoch in epochs),
        "epsilon": terms.epsilon(DELTA, len(epochs)),
        "delta": DELTA if terms.noise else None,
        **{name: getattr(terms, name) for name in names},
        "epochs": epochs,
    }


def epoch_of(result: Result, held: Mapping[int, NDArray[np.int64]], terms: Terms) -> dict[str, Any]:
    """One epoch beside the plain sum over its survivors; noise is right within 6 of its standard deviations."""
    plain = sum((held[client] for client in result.survivors), np.zeros(terms.labels, np.int64))
    there = result.totals is not None
    apart = int(np.abs(result.totals - plain).max()) if result.totals is not None else None
    deviation = terms.share * sqrt(len(result.survivors))
    up, down = list(result.bytes_up.values()) or [0], list(result.bytes_down.values()) or [0]
    return result.as_dict() | {
        "plain": plain.tolist() if there else None,
        "exact": apart == 0,
        "largest_difference": apart,
        "noise_sd": deviation,
        "within_noise": apart is not None and apart <= 6 * deviation,
        "bytes": {
            "up_mean": sum(up) / len(up), "up_max": max(up), "down_mean": sum(down) / len(down), "down_max": max(down)
        },
    }  # fmt: skip


def show(facts: dict[str, Any]) -> None:
    """Totals beside the plain sums, then a row for each epoch: who was there, and what it cost."""
    console, last = Console(), facts["epochs"][-1]
    if last["totals"] is not None:
        _print(console, ("label", "total", "plain sum"), totals_of(last))
    outcome, cost = [], []
    for epoch in facts["epochs"]:
        who = tuple(str(len(epoch[key])) for key in ("survivors", "dropped", "absent", "refused"))
        exact = "yes" if epoch["exact"] else "no" if not facts["noise"] else f"± {epoch['noise_sd']:.1f}"
        number = str(epoch["epoch"])
        outcome.append((number, epoch["status"], exact, *who, str(epoch["attempts"]), f"{epoch['seconds']:.2f}"))
        cost.append(
            (number, *(f"{epoch['bytes'][key]:,.0f}" for key in ("up_mean", "up_max", "down_mean", "down_max")))
        )
    head = ("epoch", "status", "exact", "members", "dropped", "absent", "refused", "attempts", "seconds")
    _print(console, head, outcome)
    _print(console, ("epoch", "bytes up per client", "most", "bytes down per client", "most"), cost)
    for line in words(facts):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def totals_of(epoch: dict[str, Any], most: int = 20) -> list[tuple[str, ...]]:
    """Totals and plain sums, as many as there is room for."""
    pairs = list(zip(epoch["totals"], epoch["plain"], strict=True))
    rows: list[tuple[str, ...]] = []
    rows += [(str(label), f"{total:,}", f"{plain:,}") for label, (total, plain) in enumerate(pairs[:most])]
    return [*rows, ("...", f"{len(pairs) - most} more", "in --json")] if len(pairs) > most else rows


def words(facts: dict[str, Any]) -> list[str]:
    """What the numbers are about, in lines."""
    lines = [
        f"{facts['clients']} members in {facts['processes']} processes ({facts['transport']}), {facts['dropping']} set"
        f" to drop out; {facts['seconds_with_start']:.1f} s, processes' start included"
    ]
    if facts["noise"]:
        spent = f"ε = {facts['epsilon']:.3g} at δ = {facts['delta']:g} for each member"
        lines.append(f"noise: {spent}, all {len(facts['epochs'])} epochs together")
    return lines


def _print(console: Console, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    grid = Table(box=None, header_style="bold", pad_edge=False)
    for name in head:
        grid.add_column(name, justify="left" if name == "status" else "right")
    for row in rows:
        grid.add_row(*row)
    console.print(grid)
    console.print()
