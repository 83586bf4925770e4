"""Columns and cells."""

import csv
from math import nan

import pytest

from horae.errors import RunError
from horae.proxyfloxy import COLUMNS, Row, write_csv
from horae.proxyfloxy.page import headline
from horae.proxyfloxy.sweep import clear_gains, gains, mean_transfer
from horae.proxyfloxy.table import timed

UPSTREAM = (
    "round, endpoint_name, transfer_time, data_transfer_size, model_param_size, model_arch_size, local, test_accuracy, "
    "test_loss, train_accuracy, train_loss, num_hidden_blocks, store, time_taken_for_process"
)
OURS = "status, t_put, t_queue, t_get, t_train, t_put_update, t_get_update, t_agg"


def row(blocks=1, store="no_store", seconds=1.0, **more):
    return Row(0, "a", seconds, 10, 20, 5, True, 0.5, 1.0, 0.25, 2.0, blocks, store, 9.0, **more)


def test_columns_are_upstreams_then_ours():
    assert ", ".join(COLUMNS[:14]) == UPSTREAM
    assert ", ".join(COLUMNS[14:22]) == OURS
    assert COLUMNS[22:] == ("trial", "connector", "executor")


def test_csv(tmp_path):
    file = tmp_path / "new" / "data" / "rows.csv"
    write_csv(file, [row(), row(seconds=nan, status="over-limit: task of 12 > 10 bytes, no")])
    with file.open() as source:
        one, two = csv.DictReader(source)
    assert tuple(one) == COLUMNS
    assert (one["transfer_time"], one["local"], one["status"], one["t_put"]) == ("1.0", "True", "ok", "")
    assert (two["transfer_time"], two["status"]) == ("", "over-limit: task of 12 > 10 bytes, no")
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write"):
        write_csv(tmp_path / "file" / "rows.csv", [row()])


def test_means_and_gains():
    rows = [row(1, seconds=1.0), row(1, seconds=3.0), row(50, seconds=nan, status="over-limit: x")]
    rows += [row(1, "proxystore", 0.5), row(50, "proxystore", 4.0)]
    assert mean_transfer(rows) == {("no_store", 1): 2.0, ("proxystore", 1): 0.5, ("proxystore", 50): 4.0}
    assert gains(rows) == {1: -0.75}  # 0.5 / 2 - 1; nothing came through at 50 without a store
    assert [r.time_taken_for_process for r in timed(rows, 7.0)] == [7.0] * 5


def test_what_is_more_than_chance():
    apart = [row(10, seconds=s) for s in (5, 6, 7, 8)] + [row(10, "proxystore", s) for s in (1, 2, 3, 4)]
    mixed = [row(20, seconds=s) for s in (1, 3, 5, 7)] + [row(20, "proxystore", s) for s in (2, 4, 6, 8)]
    assert clear_gains(apart + mixed) == {10}  # 4 and 4 apart: p = 2/70; mixed: p near 1
    assert headline(apart) == "At 10 blocks, 61.5 % less transfer time by reference than in messages"  # 2.5 / 6.5 - 1
    assert headline(apart + mixed).startswith("At 20 blocks, 25.0 % more")  # 5 / 4 - 1
    assert headline(apart + mixed).endswith(", which may be chance")
    assert "nothing to compare" in headline(apart[:4])
