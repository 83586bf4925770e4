"""The sweep as a page: transfer time over model size, a line for each store, and what is behind it."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from horae.proxyfloxy.carriers import NO_STORE, STORE
from horae.proxyfloxy.sweep import clear_gains, gains, mean_transfer
from horae.proxyfloxy.table import Row
from horae.report.page import figure, page, paragraph, section
from horae.report.svg import OURS, RIVAL, SOFT, Canvas, chart, label_ends
from horae.report.tables import NONE, plural, share, table, text

LOOKS = {NO_STORE: (RIVAL, "s", "in messages"), STORE: (OURS, "o", "by reference")}
UPSTREAM = (
    "ProxyFloxy's own figure, 31.4 % less transfer time, was measured with four remote endpoints behind a cloud "
    "service, as a difference of two hosts' clocks. Endpoints of one machine can show the direction, not that number."
)
CAPTION = (
    "Dots are single endpoints in single rounds, lines their means. May be chance: Mann and Whitney's test at 5 %. "
    "Every leg is timed by one clock; transfer time is their sum, not a difference of two hosts' clocks."
)
LEGS = ("t_put", "t_queue", "t_get", "t_put_update", "t_get_update")
LEG_WORDS = (
    "model ready",
    "messages and wait",
    "model at the endpoint",
    "update handed over",
    "update at the controller",
)


def sweep_page(rows: Sequence[Row], limit: int, samples: str, name: str) -> str:
    """One self-contained HTML document. limit: of a message; samples: who trained on what; name: of the store."""
    first = rows[0]
    connectors = ", ".join(dict.fromkeys(row.connector for row in rows if row.store == STORE)) or "none"
    over = f"ProxyFloxy's sweep · executor {first.executor} · {name}: {connectors} · {samples}"
    head = f'<header><p class="over">{text(over)}</p>\n<h1>{text(headline(rows))}</h1>\n{_tile_row(rows)}</header>'
    parts = [
        head,
        section(
            "Transfer time over model size", figure(transfer_chart(rows, limit), CAPTION), paragraph(UPSTREAM, "soft")
        ),
        section("What it consists of", legs_table(rows)),
        section("Accuracy", accuracy_table(rows)),
        section("What did not come through", failures_table(rows)),
    ]
    return page("ProxyFloxy's sweep · horae", parts, "Drawn by horae from the rows of the CSV beside this page.")


def headline(rows: Sequence[Row]) -> str:
    """What came out, in one sentence."""
    change = gains(rows)
    if not change:
        return "One store alone came through: nothing to compare"
    largest = max(change)
    how_much = f"{share(abs(change[largest]))} {'less' if change[largest] < 0 else 'more'} transfer time"
    chance = "" if largest in clear_gains(rows) else ", which may be chance"
    return f"At {plural(largest, 'block')}, {how_much} by reference than in messages{chance}"


def transfer_chart(rows: Sequence[Row], limit: int) -> str:
    """Every row a dot, means joined by lines, over the size of the model in a message."""
    means, sizes = mean_transfer(rows), {row.num_hidden_blocks: row.model_param_size / 1e6 for row in rows}

    def plot(axes: Axes, canvas: Canvas) -> None:
        ends = []
        for store, (colour, marker, words) in LOOKS.items():
            dots = [(sizes[row.num_hidden_blocks], row.transfer_time) for row in rows if row.ok and row.store == store]
            line = sorted((sizes[blocks], mean) for (name, blocks), mean in means.items() if name == store)
            if not line:
                continue
            axes.plot(*zip(*dots, strict=True), marker, color=colour, markersize=3, alpha=0.35, linewidth=0)
            axes.plot(*zip(*line, strict=True), f"{marker}-", color=colour, markersize=6)
            ends.append((line[-1][1], words, colour))
        axes.set_xlabel("model in a message, MB (base64)")
        axes.set_title("seconds", loc="left", color=SOFT, fontsize=12)
        axes.set_ylim(bottom=0)
        if any(row.status.startswith("over-limit") for row in rows):
            axes.axvline(limit / 1e6, color=SOFT, linewidth=1, linestyle=(0, (2, 2)))
            axes.text(limit / 1e6, axes.get_ylim()[1], "limit ", color=SOFT, ha="right", va="top", fontsize=12)
        label_ends(axes, ends, canvas)

    return chart("transfer", "Transfer time over model size, with and without a store", plot)


def legs_table(rows: Sequence[Row]) -> str:
    """Mean seconds of each leg, by depth and store."""
    lines = []
    for blocks, store in sorted({(row.num_hidden_blocks, row.store) for row in rows}):
        some = [row for row in rows if (row.num_hidden_blocks, row.store) == (blocks, store)]
        good = [row for row in some if row.ok]
        means = [_ms(good, name) for name in ("transfer_time", *LEGS, "t_train")]
        lines.append((f"{blocks}, {store}", f"{some[0].model_param_size / 1e6:.2f}", *means))
    head = ("blocks, store", "model, MB", "transfer", *LEG_WORDS, "training")
    return table(head, lines, "Milliseconds, means over endpoints and rounds")


def accuracy_table(rows: Sequence[Row]) -> str:
    """The last round's test accuracy, by depth and store: the same where both came through."""
    last = {(row.num_hidden_blocks, row.store): row.test_accuracy for row in rows if row.trial == 0 and row.ok}
    stores = list(dict.fromkeys(row.store for row in rows))
    depths = sorted({row.num_hidden_blocks for row in rows})
    lines = [(str(blocks), *(share(last.get((blocks, store))) for store in stores)) for blocks in depths]
    return table(("blocks", *stores), lines, "Test accuracy after the last round of the first trial")


def failures_table(rows: Sequence[Row]) -> str:
    """How many rows failed, and why; empty where none did."""
    counts: dict[tuple[str, int, str], int] = {}
    for row in rows:
        if not row.ok:
            key = (row.store, row.num_hidden_blocks, row.status)
            counts[key] = counts.get(key, 0) + 1
    lines = [(store, str(blocks), plural(n, "row"), why) for (store, blocks, why), n in counts.items()]
    return table(("store", "blocks", "rows", "why"), lines, "Failures") if lines else ""


def _tile_row(rows: Sequence[Row]) -> str:
    change, clear = gains(rows), clear_gains(rows)
    remarks = {blocks: f"transfer time{'' if blocks in clear else '; may be chance'}" for blocks in change}
    tiles = [(plural(blocks, "block"), _signed(change[blocks]), remarks[blocks]) for blocks in change]
    inner = "".join(
        f'<div><dt>{text(name)}</dt><dd class="big">{text(value)}</dd><dd>{text(remark)}</dd></div>\n'
        for name, value, remark in tiles
    )
    return f'<dl class="tiles">{inner}</dl>' if tiles else ""


def _signed(value: float) -> str:
    return f"{100 * value:+.0f} %".replace("-", "−")


def _ms(rows: Sequence[Row], name: str) -> str:
    return f"{1000 * sum(getattr(row, name) for row in rows) / len(rows):,.1f}" if rows else NONE
