"""What the page is told: which runs there are, how each stands, numbers and words; nothing is written or locked."""

import json
import os
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock

from horae.errors import ConfigError, RunError
from horae.explain.clients import explain_client
from horae.report.loading import read_run
from horae.server import finding, views, watch
from horae.server.finding import find, is_locked, locks
from horae.server.watch import Watch
from horae.server.why import Explainer

sys.path.append(str(Path(__file__).parents[1] / "explain"))  # the log written by hand
from madelog import events, score, write

OLD = time.time() - 3600


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(watch, "EVERY_S", 0.0)


def aged(directory):
    """Written an hour ago."""
    for file in directory.rglob("events.jsonl"):
        os.utime(file, (OLD, OLD))
    return directory


@pytest.fixture
def root(tmp_path):
    """One run of each kind."""
    runs = tmp_path / "runs"
    aged(write(runs / "done"))
    aged(write(runs / "halted", events()[:8], summary=False))
    write(runs / "going", events()[:8], summary=False)
    aged(write(runs / "torn", events()[:4], summary=False))
    with (runs / "torn" / "events.jsonl").open("a") as out:
        out.write("not JSON\n")
    (runs / "silent").mkdir()
    (runs / "silent" / "experiment.toml").write_text('name = "silent"\n')
    (runs / "empty").mkdir()
    aged(write(runs / "deep" / "er" / "run"))
    return runs


def states(root):
    return {run.name: run.state for run in Watch(root).all()}


def test_how_each_run_stands(root):
    stopped = {"done": "finished", "halted": "stopped", "going": "running", "torn": "broken", "silent": "broken"}
    assert states(root) == {**stopped, "deep/er/run": "finished"}
    told = views.runs(Watch(root))
    assert told["others"] == ["empty"] and not told["more"]
    why = {run["id"]: run["why"] for run in told["runs"]}
    assert why["torn"].startswith("torn/events.jsonl, line 5 is no JSON")
    assert why["silent"] == "there is no silent/events.jsonl" and why["done"] == ""


def test_a_broken_summary_or_experiment_is_named(root):
    (root / "done" / "summary.json").write_text('{"accuracy": 7}')
    (root / "halted" / "experiment.toml").write_text("= 3")
    runs = {run.name: run for run in Watch(root).all()}
    assert runs["done"].why == "done/summary.json: accuracy should be a share between 0 and 1 or null"
    assert runs["halted"].why.startswith("halted/experiment.toml is broken")


def test_a_rival_that_is_not_done_is_not_finished(root):
    aged(write(root / "done" / "baseline", events()[:6], summary=False))
    seen = Watch(root)
    assert seen.get("done").state == "stopped"
    told = views.run(seen.get("done"))
    assert [len(arm["points"]) for arm in told["arms"]] == [3, 1]


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="no list of locks")
def test_a_lock_is_seen_and_none_is_taken(root):
    place = root / "halted"
    assert not is_locked(place, locks()) and not is_locked(place, None)
    with FileLock(place / ".lock", timeout=0):
        assert is_locked(place, locks())
        assert states(root)["halted"] == "running"
        with FileLock(root / "silent" / ".lock", timeout=0):
            assert states(root)["silent"] == "running"  # it has not written anything yet
    seen = Watch(root)
    seen.all()
    with FileLock(place / ".lock", timeout=0):  # while it is watched
        pass
    assert seen.get("halted").state == "stopped"


def test_a_run_is_followed_and_its_version_tells(root):
    seen = Watch(root)
    before = seen.get("going").version
    assert seen.get("going").version == before
    with (root / "going" / "events.jsonl").open("a") as out:
        out.write("".join(json.dumps(event) + "\n" for event in events()[8:]))
    write(root / "later")
    assert (seen.get("going").state, seen.get("going").version) == ("finished", before + 1)
    assert seen.get("later").state == "finished"


def test_names_are_looked_up_and_never_opened(root, tmp_path):
    write(tmp_path / "outside")
    (root / "link").symlink_to(tmp_path / "outside")
    seen = Watch(root)
    for name in ("../outside", "link", str(tmp_path / "outside"), "done/../../outside", "", "\0"):
        with pytest.raises(ConfigError, match="there is no run"):
            seen.get(name)


def test_a_place_that_is_itself_a_run(root):
    assert [*find(root / "done").runs] == ["."]
    assert views.run(Watch(root / "done").get("."))["name"] == "made"
    with pytest.raises(RunError, match="there is no directory"):
        Watch(root / "nowhere")


def test_the_runs_of_comparisons_are_found_and_no_deeper_ones(tmp_path):
    write(tmp_path / "mine" / "runs" / "auxo" / "seed-0")
    write(tmp_path / "mine" / "tuning" / "auxo" / "try-1" / "seed-0")
    write(tmp_path / "a" / "b" / "c" / "d" / "e" / "too-deep")
    found = find(tmp_path)
    assert set(found.runs) == {"mine/runs/auxo/seed-0", "mine/tuning/auxo/try-1/seed-0"} and found.others == ["a"]


def test_looking_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(finding, "MOST_RUNS", 3)
    for i in range(5):
        (tmp_path / f"r{i}").mkdir()
        (tmp_path / f"r{i}" / "events.jsonl").touch()
        os.utime(tmp_path / f"r{i}" / "events.jsonl", (OLD + i, OLD + i))
    found = find(tmp_path)
    assert ([*found.runs], found.more) == (["r4", "r3", "r2"], True)  # the newest
    monkeypatch.setattr(finding, "MOST_PLACES", 2)
    assert len(find(tmp_path).runs) == 2
    monkeypatch.setattr(finding, "MOST_BYTES", 10)
    with pytest.raises(RunError, match="larger than 10 bytes"):
        finding.read_small(write(tmp_path / "r9") / "summary.json", "r9/summary.json")


def test_a_long_log_is_read_in_pieces(root, monkeypatch):
    monkeypatch.setattr(watch, "CHUNK", 600)
    monkeypatch.setattr(watch, "LEAST", 600)
    seen = Watch(root / "done")
    behind = [seen.get(".").behind for _ in range(12)]
    assert behind[0] and not behind[-1] and seen.get(".").main.fold.finished


def test_the_view_of_a_run(root):
    (root / "done" / "experiment.toml").write_text("[budget]\nparticipations = 30\n")
    told = json.loads(json.dumps(views.run(Watch(root).get("done")), allow_nan=False))
    assert told["arms"][0]["points"] == [
        [0.0, 9, 0, 0.5, 0.5, 0.5],
        [200.0, 9, 200, 0.6, 0.6, 0.6],
        [700.0, 9, 700, pytest.approx(5.2 / 6), pytest.approx(5.2 / 6), pytest.approx(5.2 / 6)],
    ]
    assert told["progress"] == {"share": 1.0, "words": "15 of 30 participations"}
    assert told["flows"] == {
        "names": ["0", "0.0", "0.1"], "times": [0.0, 200.0, 700.0], "sizes": [[6, 0, 0], [0, 3, 3], [0, 4, 2]],
    }  # fmt: skip
    lines = {line["name"]: (line["from"], line["to"], line["clients"], line["leaf"]) for line in told["tree"]["lines"]}
    assert lines == {"0": (0.0, 200.0, None, False), "0.0": (200.0, 700.0, 4, True), "0.1": (200.0, 700.0, 2, True)}
    assert told["tables"]["moves"]["rows"][0] == ["0", "0.1", "3", "its parent split"]
    assert told["tables"]["moves"]["rows"][2] == ["0.1", "0.0", "1", "moved"]
    assert told["tables"]["cohorts"]["rows"][0][-1].startswith("split after 3 min 20 s: split into 2")
    assert told["tables"]["ledger"]["rows"][0][:2] == ["training, used", "15"]
    assert told["news"].startswith("Mean accuracy 86.7 %") and told["headline"].startswith("2 cohorts, 87.0 %")
    assert told["tables"]["scores"]["rows"][0][0] == "11 min 40 s"


def test_how_far_a_run_came(root):
    (root / "going" / "experiment.toml").write_text('baseline = "single"\n[budget]\nparticipations = 20\n')
    told = views.run(Watch(root).get("going"))
    assert told["progress"] == {"share": pytest.approx(8 / 20 / 2), "words": "8 of 20 participations"}  # of two arms
    assert told["headline"] == "2 cohorts so far, 60.0 % on average" and told["hint"] == ""
    hint = views.run(Watch(root).get("halted"))["hint"]
    assert hint == f"It was stopped; go on with horae run --resume {root / 'halted'}"


def test_nothing_yet_and_broken_runs_have_a_view(root):
    for name in ("silent", "torn", "halted"):
        json.dumps(views.run(Watch(root).get(name)), allow_nan=False)
    assert views.run(Watch(root).get("silent"))["headline"] == "Nothing to show yet"


def test_two_runs_beside_each_other(root):
    (root / "halted" / "experiment.toml").write_text('name = "made"\n[clustering]\nname = "auxo"\ngamma = 0.3\n')
    seen = Watch(root)
    told = views.beside(seen.get("done"), seen.get("halted"))
    numbers = {row[0]: row[1:] for row in told["tables"]["numbers"]["rows"]}
    assert numbers["mean accuracy"] == ["87.0 %", "60.0 %", "+27.0"]
    assert numbers["participations"] == ["15", "8", "7"]
    fields = {row[0]: row[1:] for row in told["tables"]["settings"]["rows"]}
    assert fields["clustering.gamma"] == ["0.2", "0.3"] and fields["clustering.epsilon"] == ["0.9", "–"]
    assert [arm["label"] for arm in told["arms"]] == ["done", "halted"]


def test_pictures_of_long_logs_stay_small(tmp_path):
    lines = [events()[0], *(score(float(i), {f"0.{k}": [1, 0.5] for k in range(100)}) for i in range(900))]
    told = views.run(Watch(write(tmp_path / "long", lines, summary=False)).get("."))
    assert len(told["arms"][0]["points"]) == 400 and len(told["flows"]["times"]) == 80
    assert len(told["tree"]["lines"]) == 60 and told["tree"]["left_out"] == 40
    assert (
        len(told["tables"]["cohorts"]["rows"]) == 60 and "the first 60 of 100" in told["tables"]["cohorts"]["caption"]
    )
    assert len(json.dumps(told)) < 200_000


def test_why_says_what_explain_says_and_draws_nothing(root):
    before = {file: file.stat().st_mtime_ns for file in root.rglob("*")}
    seen, explainer = Watch(root), Explainer()
    answer = explain_client(read_run(root / "done"), 2)
    told = explainer.answer(seen.get("done"), "2", None)
    assert told["words"] == answer.words and told["tables"][0]["rows"][0][1] == "0"
    assert (
        explainer.answer(seen.get("done"), None, "0")["words"]
        and explainer.answer(seen.get("done"), None, None)["words"]
    )
    assert {file: file.stat().st_mtime_ns for file in root.rglob("*")} == before


@pytest.mark.parametrize("client", ["-1", "x", "99", "1e3", "²", "9" * 40])
def test_a_client_that_is_not_there(root, client):
    with pytest.raises(ConfigError, match="client should be"):
        Explainer().answer(Watch(root).get("done"), client, None)


def test_why_reads_no_links_and_no_broken_run(root, tmp_path):
    seen = Watch(root)
    with pytest.raises(RunError, match=r"torn/events\.jsonl, line 5"):
        Explainer().answer(seen.get("torn"), "0", None)
    write(tmp_path / "other")
    (root / "done" / "baseline").symlink_to(tmp_path / "other")
    with pytest.raises(RunError, match="done/baseline is a link"):
        Explainer().answer(seen.get("done"), "0", None)
    assert not seen.get("done").has_rival
