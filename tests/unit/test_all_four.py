"""Auxo, AutoFLIP, Halor and a data plane on one file: they run together, and everything is on the ledger."""

import json
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import horae
from horae.experiment import load
from horae.proxyfloxy.table import Row
from horae.reproduce.finding import every
from horae.reproduce.probes.transfers import WORDS, Transfers, told

ROOT = Path(__file__).parents[2]
FILE = ROOT / "experiments" / "all-four.toml"
MINE = ("all-four", "autoflip", "halor", "proxyfloxy")
QUICK = {
    "participants": 8, "overcommit": 1.0, "budget.participations": 48, "population.clients": 40, "evaluation.every": 3,
    "availability.name": "always", "devices.name": "equal", "model.hidden": [16], "alignment.group": 12,
    "alignment.window_clients": 24, "alignment.every": 3, "site.in_step": True,
}  # fmt: skip
PARTS = {"train", "census", "exploration", "affinity"}


def go(out, **more):
    result = horae.run(FILE, out=out, changes=QUICK, **more)
    lines = [json.loads(line) for line in (result.directory / "events.jsonl").read_text().splitlines()]
    return result, lines


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    return go(tmp_path_factory.mktemp("runs") / "simulated")


def test_the_file_names_all_four():
    names = load(FILE).names()
    assert {names[family] for family in ("clustering", "pruning", "alignment", "data_plane")} == {
        "auxo", "autoflip", "halor", "shm",
    }  # fmt: skip


def test_every_purpose_is_on_the_ledger_both_ways(simulated):
    ledger = simulated[1][-1]["ledger"]
    assert set(ledger) >= PARTS
    assert all(ledger[purpose]["nbytes_up"] > 0 and ledger[purpose]["nbytes_down"] > 0 for purpose in PARTS)
    assert ledger["exploration"]["flops"] > 0
    whole = sum(row["nbytes_up"] + row["nbytes_down"] for row in ledger.values())
    assert whole == simulated[0].bytes_up + simulated[0].bytes_down
    told_of = {event["event"] for event in simulated[1]}
    assert {"masks", "census", "score", "clients"} <= told_of


def test_the_same_seed_is_the_same_bits(simulated, tmp_path):
    again, lines = go(tmp_path / "again")
    assert lines == simulated[1]
    assert (again.models[()] == simulated[0].models[()]).all()


@pytest.mark.parametrize("plane", ["inline", "shm"])
def test_workers_make_the_simulations_model_whatever_carries_it(plane, simulated, tmp_path):
    """Also where the clustering reads a second update, which travels beside the first."""
    result, lines = go(tmp_path / "run", executor="inline", data_plane=plane)
    assert np.count_nonzero(result.models[()]) == np.count_nonzero(simulated[0].models[()])
    np.testing.assert_allclose(result.models[()], simulated[0].models[()], rtol=1e-5, atol=1e-7)
    here, there = (next(e["ledger"] for e in reversed(log) if "ledger" in e) for log in (simulated[1], lines))
    assert set(there) == set(here)
    for purpose in PARTS - {"train"}:
        assert {**there[purpose], "client_s": 0} == {**here[purpose], "client_s": 0}
    assert there["train"]["flops"] == here["train"]["flops"]
    assert not [event for event in lines if event["event"] == "failure"]


@pytest.mark.parametrize("folder", MINE)
def test_reproductions_name_both_sizes_and_what_stands_in_for_data(folder):
    found = [one for one in every() if one.folder == folder]
    assert found and all(set(one.sizes) == {"small", "paper"} for one in found)
    for one in found:
        assert not any(size.none for size in one.sizes.values())
        table = tomllib.loads(one.file.read_text())
        assert table["small"].get("runs") or table["small"]["minutes"] > 0


def test_the_ablation_takes_out_one_part_at_a_time():
    (one,) = [each for each in every() if each.title == "all-four/ablation"]
    for size, there in one.sizes.items():
        off = {
            "clustering.name": "single",
            "pruning.name": "dense",
            "alignment.name": "off",
            "data_plane.name": "inline",
        }
        taken = {arm.name: set(arm.changes) for arm in there.named}
        assert all(off[key] == value for arm in there.named for key, value in arm.changes.items()), size
        assert sorted(len(keys) for name, keys in taken.items() if name.startswith("without ")) == [1, 1, 1, 1]
        assert taken["all four"] == set() and taken["none"] == set(off)


def row(store, blocks, number, seconds, status="ok", accuracy=0.5):
    return Row(
        number, "e", seconds, 700 if store == "proxystore" else blocks * 1000, 1, 1, True, accuracy, 1.0, 1.0, 1.0,
        blocks, store, 1.0, status,
    )  # fmt: skip


def test_transfer_times_are_means_without_the_first_round():
    rows = [row("no_store", 1, 0, 9.0), row("no_store", 1, 1, 2.0), row("no_store", 1, 2, 4.0)]
    rows += [row("proxystore", 1, n, 1.0, accuracy=0.1 * n) for n in range(3)]
    rows += [row("no_store", 50, n, float("nan"), "over-limit") for n in range(3)]
    rows += [row("proxystore", 50, n, 2.0) for n in range(3)]
    found = told(rows)
    assert found["in messages, 1 block"] == {"message_bytes": 1000, "came": 1, "transfer_s": 3.0, "accuracy": 0.5}
    assert found["in messages, 50 blocks"] == {"message_bytes": 50_000, "came": 0}
    assert found["by reference, 1 block"]["accuracy"] == pytest.approx(0.2)
    assert (found["in messages"], found["by reference"]) == ({"transfer_s": 3.0}, {"transfer_s": 1.0})
    assert set(WORDS.values()) <= set(found)


def test_what_a_sweep_lacks_is_said_in_a_line(tmp_path):
    assert Transfers().missing(None) == ""
    assert "pip install globus-compute-sdk" in Transfers(executor="globus").missing(None)
    assert "write the endpoints' ids into it" in Transfers(file=str(tmp_path / "none.yml")).missing(None)
    assert "mnist" in Transfers(data="mnist").missing(tmp_path)


def test_the_page_shows_what_the_results_say():
    sys.path.insert(0, str(ROOT))
    from benchmarks.all_four import KEPT, PAGE, page

    text = PAGE.read_text(encoding="utf-8")
    assert page(text, json.loads(KEPT.read_text(encoding="utf-8"))) == text, "python -m benchmarks.all_four writes it"
    assert text.count("| all four |") == 1
