"""The sweep: stores x trials x depths, its CSV written after each store."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import mannwhitneyu

from horae.errors import RunError, require
from horae.proxyfloxy.carriers import NO_STORE, STORE, Carrier
from horae.proxyfloxy.rounds import Process, Sweep
from horae.proxyfloxy.samples import check_samples
from horae.proxyfloxy.sites import Sites
from horae.proxyfloxy.table import Row, timed, write_csv
from horae.proxyfloxy.worker import Failure, ready_there

MOST_BLOCKS = 1000


@dataclass
class Hooks:
    """Who watches. told: a round is over, in words. asked: whether somebody wants to stop."""

    told: Callable[[str], None] = field(default=lambda words: None)
    asked: Callable[[], bool] = field(default=lambda: False)


def check(plan: Sweep) -> None:
    """Refuse a sweep that cannot be done, before anything is started. Errors: ConfigError, DataError."""
    require(plan.epochs >= 1, "--epochs", "be at least 1", plan.epochs)
    require(plan.loops >= 1, "--loops", "be at least 1", plan.loops)
    require(plan.trials >= 1, "--trials", "be at least 1", plan.trials)
    require(0 <= plan.interval_s <= 86400, "--time_interval", "be in [0, 86400]", plan.interval_s)
    require(0 < plan.timeout_s <= 86400, "--timeout", "be in (0, 86400]", plan.timeout_s)
    require(plan.seed >= 0, "--seed", "be at least 0", plan.seed)
    right = all(1 <= blocks <= MOST_BLOCKS for blocks in plan.blocks)
    once = len(set(plan.blocks)) == len(plan.blocks) > 0
    require(right and once, "--hidden-blocks", f"be numbers in [1, {MOST_BLOCKS}], each once", list(plan.blocks))
    check_samples(plan.images(), len(plan.endpoints.workers), plan.samples)


def run_sweep(
    plan: Sweep, carriers: Sequence[tuple[Carrier, str]], sites: Sites, executor: str, file: Path, hooks: Hooks,
    rows: list[Row],
) -> None:  # fmt: skip
    """Append all rows; `file` holds them after each store, and what there is of them after an interruption.

    carriers: each with the name of its connector. Errors: RunError.
    """
    try:
        for carrier, _ in carriers:
            warm(plan, carrier, sites)
        for carrier, connector in carriers:
            for blocks in plan.blocks:
                for trial in range(plan.trials):
                    process = Process(plan, carrier, sites, blocks, trial, connector, executor)
                    _federate(process, rows, hooks)
                    if hooks.asked():
                        return
            write_csv(file, rows)
    finally:
        if rows:
            write_csv(file, rows)


def warm(plan: Sweep, carrier: Carrier, sites: Sites) -> None:
    """Have all endpoints start, load their samples and reach the store, so that no first round is charged with it."""
    try:
        carrier.announce({"w": np.zeros(1, np.float32)})
        tasks = [carrier.load(plan.task(i, 0, 0, "")) for i in range(len(plan.endpoints.workers))]
        futures: list[Future[Any]] = [sites.submit(i, ready_there, task) for i, task in enumerate(tasks)]
        for endpoint, future in zip(plan.endpoints.workers, futures, strict=True):
            try:
                failure: Failure | None = future.result(plan.timeout_s)
            except Exception as error:
                why = str(error) or type(error).__name__
                raise RunError(
                    f"endpoint {endpoint.name} did not start: {why}; see that it runs, or raise --timeout"
                ) from None
            if failure is not None:
                raise RunError(f"endpoint {endpoint.name} cannot train: {failure.why}")
    finally:
        carrier.clear()


def _federate(process: Process, rows: list[Row], hooks: Hooks) -> None:
    """One process; its rows are kept however it ends."""
    before, began = len(rows), time.perf_counter()
    where = f"{process.carrier.name}, {process.blocks} blocks"
    try:
        for some in process.rounds(hooks.asked):
            rows += some
            hooks.told(where)
    finally:
        rows[before:] = timed(rows[before:], time.perf_counter() - began)


def transfer_times(rows: Sequence[Row]) -> dict[tuple[str, int], list[float]]:
    """The transfer times of the rows that came through, by store and depth."""
    times: dict[tuple[str, int], list[float]] = {}
    for row in rows:
        if row.ok:
            times.setdefault((row.store, row.num_hidden_blocks), []).append(row.transfer_time)
    return times


def mean_transfer(rows: Sequence[Row]) -> dict[tuple[str, int], float]:
    """Their means."""
    return {key: sum(times) / len(times) for key, times in transfer_times(rows).items()}


def gains(rows: Sequence[Row]) -> dict[int, float]:
    """By how much the store changes the mean transfer time at each depth that came through both ways, as a share."""
    means = mean_transfer(rows)
    depths = dict.fromkeys(blocks for store, blocks in means if store == STORE)
    return {b: means[STORE, b] / means[NO_STORE, b] - 1 for b in depths if (NO_STORE, b) in means}


def clear_gains(rows: Sequence[Row]) -> set[int]:
    """The depths at which this is more than chance would do: Mann and Whitney's test at 5 %."""
    times = transfer_times(rows)
    return {b for b in gains(rows) if mannwhitneyu(times[NO_STORE, b], times[STORE, b]).pvalue < 0.05}
