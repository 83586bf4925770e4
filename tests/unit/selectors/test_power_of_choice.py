"""Power-of-choice: the largest losses of d, at their price."""

import numpy as np
import pytest
from rounds import ids, ledger, rng

import horae
from horae.errors import ConfigError
from horae.selectors import PowerOfChoice


def test_the_largest_losses_of_those_asked():
    asked = []

    def losses(clients):
        asked.append(clients.tolist())
        return clients * 1.0

    picked = PowerOfChoice(choice=1.5).pick_by_loss(None, np.arange(20), 4, 0.0, rng(), losses)
    assert len(asked[0]) == 6 == len(set(asked[0]))
    assert picked.tolist() == sorted(asked[0])[2:]
    others = {tuple(PowerOfChoice().pick(None, np.arange(20), 4, 0.0, rng(seed)).tolist()) for seed in range(5)}
    assert len(others) > 1


def test_unknown_losses_come_last():
    found = np.array([1.0, np.nan, 0.5, np.inf, 2.0])
    picked = PowerOfChoice(choice=3.0).pick_by_loss(None, np.arange(5), 2, 0.0, rng(), lambda c: found[c])
    assert picked.tolist() == [0, 4]


@pytest.mark.parametrize(("there", "n"), [((1, 2), 2), ((1, 2), 5), ((), 3), ((1, 2, 3), 0)])
def test_where_there_is_nothing_to_choose_nobody_is_asked(there, n):
    picked = PowerOfChoice().pick_by_loss(None, ids(*there), n, 0.0, rng(), lambda c: 1 / 0)
    assert picked.tolist() == list(there)[:n]


def test_asking_reaches_the_ledger_and_the_clock(tmp_path, monkeypatch):
    monkeypatch.setattr("horae.report.html.write_report", lambda directory: None)
    table = {
        "participants": 10, "budget": {"participations": 30}, "clustering": {"name": "single"}, "baseline": "none",
        "overcommit": 1.0, "population": {"name": "digits-rotated", "clients": 60}, "availability": {"name": "always"},
        "devices": {"name": "equal", "ms_per_sample": 1e6, "kbps": 10.0},
    }  # fmt: skip
    runs = {name: horae.run(table, selector=name, out=tmp_path / name) for name in ("uniform", "power-of-choice")}
    bills = ledger(tmp_path / "power-of-choice")
    # Three rounds ask 20 of 60, who fetch 65 * 10 parameters, 4 bytes each, and look at 29 samples of
    # 2 * 640 FLOPs. A round waits for the download.
    assert bills["losses"]["participations"] == 60
    assert bills["losses"]["nbytes_down"] == 60 * 4 * 650
    assert bills["losses"]["flops"] == 60 * 29 * 2 * 640
    assert runs["power-of-choice"].simulated_s > runs["uniform"].simulated_s + 3 * 4 * 650 * 8 / 1000 / 10


@pytest.mark.parametrize("value", [0.5, float("nan"), 1e9])
def test_a_constant_out_of_range_is_one_line(value):
    with pytest.raises(ConfigError, match=r"^selector\.choice should be in \[1, 1000\], got "):
        PowerOfChoice(choice=value)
