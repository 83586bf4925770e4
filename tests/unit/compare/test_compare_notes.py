"""What is said below a comparison: who shares what, the budget, the target, and what went wrong."""

import pytest
from scripted_runs import ACCURACY, VARY, Runs, arm, patched

from horae.compare import compare
from horae.compare.logs import Log


@pytest.fixture(autouse=True)
def no_page(monkeypatch):
    """The page has its own tests, and takes a second."""
    monkeypatch.setattr("horae.report.comparison.page.comparison_page", lambda results, directory: "")


def notes(monkeypatch, tmp_path, stand_in, **options):
    patched(monkeypatch, stand_in)
    done = compare(**{"vary": VARY, "seeds": [0, 1], "out": tmp_path / "out", **options})
    return done.results["notes"], done.results


def test_arms_that_share_no_clients_are_called_so(monkeypatch, tmp_path):
    stand_in = Runs(world=lambda arm, seed: {"clients": f"{arm}{seed}", "model": "m"})
    found, _ = notes(monkeypatch, tmp_path, stand_in)
    assert found[0] == "Clients differ between the arms: paired by seed only."


def test_arms_with_another_first_model_are_called_so(monkeypatch, tmp_path):
    found, _ = notes(monkeypatch, tmp_path, Runs(world=lambda arm, seed: {"clients": "c", "model": arm}))
    assert found[0] == "First models differ between the arms; those of one seed share clients, devices and hours."


def test_logs_without_fingerprints_are_compared_by_their_facts(monkeypatch, tmp_path):
    found, _ = notes(monkeypatch, tmp_path, Runs(world=lambda arm, seed: {}))
    assert found[0] == "Arms of one seed share clients, devices, hours and first models."


def test_what_is_out_of_the_ordinary_is_told(monkeypatch, tmp_path):
    stand_in = Runs(updates_refused=3)
    stand_in.reason = "nobody came for 7 days"
    found, _ = notes(monkeypatch, tmp_path, stand_in, seeds=[0])
    assert "One seed: no intervals, no verdicts." in found
    assert "single, seed 0: nobody came for 7 days." in found
    assert "auxo, seed 0: 3 updates were not finite and were refused." in found


def test_a_varied_budget_is_told(monkeypatch, tmp_path):
    monkeypatch.setitem(ACCURACY, ("participations=60", 0), 0.5)
    monkeypatch.setitem(ACCURACY, ("participations=90", 0), 0.6)
    found, _ = notes(monkeypatch, tmp_path, Runs(), vary={"budget.participations": [60, 90]}, seeds=[0])
    assert "The budget is varied: the arms did not have the same means." in found


def test_seeds_that_never_reached_the_target_are_counted_and_take_the_verdict_away(monkeypatch, tmp_path):
    # single reaches 0.62 on seed 2 alone: after 60 * 0.52 / 0.6 = 52 s; auxo on seed 2 after 60 * 0.52 / 0.85 = 36.7 s
    found, results = notes(monkeypatch, tmp_path, Runs(), seeds=[0, 1, 2], target=0.62)
    assert arm(results, "single")["fields"]["time_to_accuracy_s"]["n"] == 1
    assert arm(results, "auxo")["fields"]["time_to_accuracy_s"]["n"] == 3
    speedup = arm(results, "auxo")["speedup"]["time_to_accuracy_s"]
    assert (speedup["n"], speedup["of"], speedup["low"], speedup["verdict"]) == (1, 3, None, None)
    assert speedup["mean"] == pytest.approx(0.85 / 0.6)
    assert arm(results, "auxo")["difference"]["time_to_accuracy_s"]["verdict"] is None
    said = (
        "Target: 62.0 % mean accuracy, as asked for; reached by single in 1 of 3; auxo in 3 of 3. Means and speed-ups"
    )
    assert any(words.startswith(said) for words in found)
    assert "1 of 3 seeds" in (tmp_path / "out" / "results.md").read_text()
    assert "1 of 3 seeds" in (tmp_path / "out" / "results.tex").read_text()
    again = compare(resume=tmp_path / "out", target=0.5, against="auxo").results
    assert again["target"]["accuracy"] == 0.5
    assert arm(again, "single")["speedup"]["time_to_accuracy_s"]["n"] == 3
    assert compare(resume=tmp_path / "out").results["target"] == {"accuracy": 0.5, "why": "as asked for"}


def test_without_scores_there_is_no_target(monkeypatch, tmp_path):
    monkeypatch.setattr("horae.compare.results.read_log", lambda file: Log())
    found, results = notes(monkeypatch, tmp_path, Runs())
    assert results["target"] is None
    assert arm(results, "auxo")["speedup"]["time_to_accuracy_s"]["n"] == 0
    assert "No target accuracy: no arm's reaching of one is timed." in found
    assert "To the target" not in (tmp_path / "out" / "results.md").read_text()
