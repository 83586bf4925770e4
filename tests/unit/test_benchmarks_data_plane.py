"""The data plane benchmark: what it measures works, and its page says what was measured."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks import data_plane, data_plane_tasks
from benchmarks.data_plane_page import draw, page, times, with_ratios
from horae.data_planes import Shm


def row(carrier, seconds, megabytes=100, back=False, executor="process pool"):
    return {
        "executor": executor, "megabytes": megabytes, "back": back, "carrier": carrier, "seconds": seconds, "load": 4.0
    }  # fmt: skip


FOUND = {
    "machine": {"cpu": "a processor", "cores": 2, "python": "3.11", "numpy": "2", "date": "today"},
    "clients": 10,
    "workers": 2,
    "rows": [
        row("plain", [4.0, 8.0, 6.0]), row("shm", [0.4, 0.5, 0.5]), row("shm anew", [1.0, 1.0, 1.0]),
        row("plain", [2.0, 2.0], back=True), row("Redis", [4.0], back=True),
    ],
}  # fmt: skip


def test_ratios_are_of_one_repetition():
    ratios = {(r["carrier"], r["back"]): r["ratios"] for r in with_ratios(FOUND["rows"])}
    assert ratios["shm", False] == [10.0, 16.0, 12.0]
    assert ratios["Redis", True] == [0.5]


def test_the_page_names_targets_losers_and_what_is_missing(tmp_path):
    text = "\n".join(page(FOUND))
    assert "`shm`: 12 times plain; 10 were asked for: reached; 6 where workers keep nothing." in text
    assert "Slower than plain: Redis (process pool, 100 MB round trip: 0.5)." in text
    assert "4 s*, 0.5 (0.5 - 0.5)" in text
    assert "Not installed here: file (disk), ZeroMQ." in text
    draw(FOUND, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 5000
    assert (times(110.4), times(7.66)) == ("110", "7.7")


@pytest.mark.parametrize("back", [False, True])
def test_both_ways_carry_the_model_and_bring_the_mean_of_updates(back, tmp_path):
    model, plane = {"w": np.arange(4, dtype=np.float32)}, Shm(str(tmp_path))
    with ThreadPoolExecutor(2) as pool:
        data_plane.plainly(pool, model, back)
        for act in (data_plane_tasks.look_by_name, data_plane_tasks.look_anew):
            data_plane.by_name(plane, act, pool, model, back)
    assert plane.stats()["puts"] == 2  # the updates were put by the workers
    plane.close()
