"""The alignment benchmark: its hours and clients, what its tables and verdicts say, and that its files load."""

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.alignment import FILES, PARTS, measure  # noqa: E402
from benchmarks.alignment_people import label_table, truth  # noqa: E402
from benchmarks.alignment_told import accuracy, gain, judged, tell  # noqa: E402
from horae.experiment import load  # noqa: E402
from horae.reproduce.finding import claims  # noqa: E402


@pytest.mark.parametrize("file", [f for f in sorted(FILES.glob("*.toml")) if not claims(f)], ids=lambda file: file.stem)
def test_the_experiments_load(file):
    experiment = load(file)
    assert experiment.name == file.stem and experiment.names()["alignment"] == "halor"
    assert load(experiment.table()).table() == experiment.table()


def test_all_arms_of_all_parts_load():
    for part in PARTS.values():
        for changes in part.arms.values():
            load(FILES / f"{part.file}.toml", {**part.changes, **changes})


def test_the_population_s_shares_by_hand():
    people = load(FILES / "digits-large.toml", {"population.clients": 20}).world().population
    assert label_table(people).sum(axis=1).tolist() == [200] * 20
    assert truth(people).sum() == pytest.approx(1)


def test_a_run_is_measured_round_by_round():
    part = PARTS["A"]
    short = type(part)("digits-small", part.arms, 1, {"budget.participations": 130, "alignment.window_rounds": 3})
    found = measure(short, "weight", 0)
    assert len(found["curve"]) == 14 and found["accuracy"] == pytest.approx(np.mean(found["curve"][-10:]), abs=1e-4)
    assert found["census"][0]["tv"] < 1e-5 and found["ledger"]["census"]["participations"] == 100
    assert measure(short, "raw", 0)["census"] == []


def runs(*accuracies):
    """A run for each seed."""
    census = [{"what": "closed", "counted": 60, "refused": 0, "tv": 0.2}]
    return {
        str(seed): {"accuracy": a, "recall": a, "clients": a, "curve": [a] * 60, "census": census}
        for seed, a in enumerate(accuracies)
    }


def every(**special):
    """All arms of the four scenes, two seeds each."""
    scenes = [name for name, part in PARTS.items() if not part.whole]
    return {name: {arm: runs(*special.get(arm, (0.5, 0.6))) for arm in PARTS[name].arms} for name in scenes}


def test_gains_are_paired_by_seed():
    assert gain(runs(0.5, 0.7), runs(0.4, 0.7)) == "+5.0 (+0.0 to +10.0), 1 of 2"
    assert accuracy(runs(0.25)["0"]) == 0.25


def test_verdicts_follow_the_numbers():
    flat = {(fact, what): fine for fact, what, _, _, fine in judged(every())}
    assert flat == {
        ("12", "D: weight"): False, ("12", "D: weight, g known"): False, ("12", "D, 1,000 clients: weight"): False,
        ("12", "D, 1,000 clients: weight, g known"): False, ("13", "A: weight"): True, ("13", "A: exact"): False,
    }  # fmt: skip
    good = {(f, w): fine for f, w, _, _, fine in judged(every(weight=(0.54, 0.64), exact=(0.4, 0.5)))}
    assert good[("12", "D: weight")] and good[("13", "A: exact")]
    one = {(f, w): fine for f, w, _, _, fine in judged(every(weight=(0.7, 0.59)))}
    assert not one[("12", "D: weight")]  # better by much, but not in every seed
    more = {
        "noise": {"one": {"0": {"tv": 0.01}}, "many": {"0": {"tv": 0.03}}},
        "leak": {"alpha 0.5": {"0": {"raw": 0.95, "exact": 0.6}}},
    }
    assert [fine for *_, fine in judged(more)] == [True, False, True, False]


def test_tables_say_all_arms_and_there_is_a_picture(tmp_path):
    tell(every(), tmp_path)
    text = (tmp_path / "alignment.md").read_text()
    assert all(f"| {arm} |" in text for arm in PARTS["C"].arms) and "| pyramidfl |" in text
    assert "0.200 (60)" in text and "**does not hold**" in text
    assert (tmp_path / "alignment.png").stat().st_size > 10_000
