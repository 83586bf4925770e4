"""What is meant by a path, a name, or a name and a time; and rows of runs that belong to no sweep."""

import json
import os
from pathlib import Path

import pytest

from horae.errors import RunError
from horae.files import PROCESS
from horae.pids import Process, process, recorded
from horae.sweep import rows
from horae.sweep.ending import stop
from horae.sweep.file import Where
from horae.sweep.finding import ALONE, SWEEP, find, here
from horae.sweep.plan import Plan, Run, read
from horae.sweep.slots import Host

OLD, NEW = "20260101-101500", "20260102-090000"


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (f"heads-{OLD}", f"heads-{NEW}", f"tails-{OLD}"):
        made(Path("sweeps", name))
    for name in ("demo", f"phones-{OLD}"):
        Path("runs", name).mkdir(parents=True)
        Path("runs", name, "experiment.toml").touch()
    Path("runs", "empty").mkdir()


def made(place, **where):
    runs = [Run("one", "one", 0), Run("auxo, participants=10", "auxo,participants=10", 3)]
    place.mkdir(parents=True)
    Plan(place.name[:5], place.name, runs, Where(["cpu"], **where)).write(place)


def names(found):
    return [str(target.directory) + (f" {target.run.id}" if target.run else "") for target in found]


def test_a_plan_is_read_as_it_was_written(tmp_path):
    hosts = {"lab": Host("${USER}@lab", "/srv", data_root="/data")}
    plan = Plan("x", "x-1", [Run("a b", "ab", 0)], Where(["cpu", "lab:cuda:1"], "${HOME}/x", {"A": "${B}"}, hosts))
    plan.write(tmp_path)
    assert read(tmp_path) == plan
    assert plan.there(plan.runs[0], "lab") == "lab:/srv/sweeps/x-1/runs/ab/seed-0"
    assert plan.there(plan.runs[0], "gone") == "gone:.../sweeps/x-1/runs/ab/seed-0"


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"name": 1}', '{"name": "a", "tag": "b", "runs": [1], "horae": "c"}']
)
def test_a_broken_plan_is_one_line(tmp_path, text):
    (tmp_path / "sweep.json").write_text(text)
    with pytest.raises(RunError, match=r"cannot read .*sweep.json: .*; was it changed by hand\?"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("words", "time", "found"),
    [
        ("heads", "", [f"sweeps/heads-{NEW}", f"sweeps/heads-{OLD}"]),
        ("heads", OLD, [f"sweeps/heads-{OLD}"]),
        (f"tails-{OLD}", "", [f"sweeps/tails-{OLD}"]),
        (f"sweeps/tails-{OLD}", "", [f"sweeps/tails-{OLD}"]),
        (f"sweeps/tails-{OLD}/", "", [f"sweeps/tails-{OLD}"]),
        ("demo", "", ["runs/demo"]),
        ("runs/demo", "", ["runs/demo"]),
        ("phones", "", [f"runs/phones-{OLD}"]),
        ("phones", OLD, [f"runs/phones-{OLD}"]),
        ("one/seed-0", "", [f"sweeps/{x} one/seed-0" for x in (f"heads-{NEW}", f"tails-{OLD}", f"heads-{OLD}")]),
    ],
)  # fmt: skip
def test_what_is_meant(words, time, found):
    assert names(find(words, time)) == found


def test_a_runs_directory_is_its_sweeps():
    place = Path(f"sweeps/heads-{OLD}/runs/auxo,participants=10/seed-3")
    place.mkdir(parents=True)
    for words in (str(place), str(place.absolute())):
        (target,) = find(words)
        assert (target.run.id, target.kind) == ("auxo,participants=10/seed-3", SWEEP)
        assert target.directory.samefile(f"sweeps/heads-{OLD}")
    (alone,) = find(str(_begun(Path(f"sweeps/heads-{OLD}/other"))))
    assert alone.kind == ALONE


def _begun(place):
    place.mkdir(parents=True)
    (place / "events.jsonl").touch()
    return place


@pytest.mark.parametrize(
    ("words", "time", "message"),
    [
        ("heeds", "", "there is no heeds in sweeps/, comparisons/ or runs/, and no such directory; did you mean 'h"),
        ("heads", "20270101-000000", "there is no heads 20270101-000000 in sweeps/, comparisons/ or runs/"),
        ("runs/empty", "", "there is no runs/empty in sweeps/"),
        ("runs", "", "there is no runs in sweeps/"),
    ],
)
def test_what_is_not_there_is_one_line(words, time, message):
    with pytest.raises(RunError) as error:
        find(words, time)
    assert message in str(error.value)


def test_nothing_at_all(tmp_path, monkeypatch):
    (tmp_path / "none").mkdir()
    monkeypatch.chdir(tmp_path / "none")
    assert here() == []
    with pytest.raises(RunError, match="and no such directory; name its directory"):
        find("x")


def test_a_run_alone_is_told_from_its_directory():
    place = Path("runs/demo")
    (row,) = rows.alone(place).rows
    assert (row.run, row.state, row.rounds, row.accuracy, row.why, row.seed) == (
        "demo",
        "stopped",
        None,
        None,
        "",
        None,
    )
    round_ = '{"event":"round","clients":[%s]}\n'
    text = round_ % "1" + round_ % "" + '{"event":"score","accuracy":0.25}\n' + round_ % "2" + '{"event":"round","clien'
    (place / "events.jsonl").write_text(text)
    (place / "baseline").mkdir()
    (place / "baseline" / "events.jsonl").write_text(round_ % "1")
    with recorded(place):
        (row,) = rows.alone(place).rows
        assert (row.state, row.rounds, row.baseline_rounds, row.accuracy) == ("running", 2, 1, 0.25)
    (place / PROCESS).write_text(json.dumps({**process(os.getpid()).table(), "started": "1"}))
    (row,) = rows.alone(place).rows
    assert (row.state, row.why) == ("stopped", "its process is gone")
    (place / "summary.json").write_text("{}")
    assert rows.alone(place).rows[0].state == "done"
    (place / PROCESS).write_text(json.dumps({**process(os.getpid()).table(), "host": "elsewhere"}))
    (row,) = rows.alone(place).rows
    assert (row.state, row.why) == ("running", "on elsewhere, as far as can be seen from here")


def test_a_python_that_runs_horae_within_and_another_machines_process_are_left_alone():
    place = Path("runs/demo")
    with recorded(place):
        (ending,) = stop(find("demo"), 1)
    assert (ending.how, ending.fine) == ("left", False)
    assert ending.why == f"process {os.getpid()} is a Python that runs horae within; end it there"
    (place / PROCESS).write_text(json.dumps({**process(7).table(), "host": "elsewhere"}))
    (ending,) = stop(find("demo"), 1)
    assert ending.why == "it is process 7 of elsewhere; say it there"
    (place / PROCESS).write_text(json.dumps({**process(os.getpid()).table(), "started": "1"}))
    assert stop(find("demo"), 1) == []  # this very process has that number, and is another one


def test_a_broken_sweep_and_another_users_run_keep_nobody_from_ending_the_rest(monkeypatch):
    Path(f"sweeps/heads-{OLD}/sweep.json").write_text("{")
    with recorded(Path("runs/demo"), gentle=True):

        def refuse(self, number, *, group=False):
            raise PermissionError

        monkeypatch.setattr(Process, "send", refuse)
        found = {one.what: one.why for one in stop(here(), 1)}
    assert set(found) == {f"sweeps/heads-{OLD}", "runs/demo"}
    assert found[f"sweeps/heads-{OLD}"].startswith("cannot read ")
    assert found["runs/demo"] == f"process {os.getpid()} belongs to another user"
    assert names(find("one/seed-0")) == [f"sweeps/heads-{NEW} one/seed-0", f"sweeps/tails-{OLD} one/seed-0"]
