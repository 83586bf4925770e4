"""The log is read while it grows; every event is told once, whatever happens in between."""

import json
from dataclasses import dataclass, field

import pytest

from horae.trackers import Csv, Telling, telling

FACTS = {"name": "tiny", "clustering": "auxo", "seed": 3, "experiment": {"seed": 3}}


@dataclass
class Heard:
    """Keeps what it is told. fails: the first steps at which it raises."""

    fails: tuple = ()
    opened: list = field(default_factory=list, compare=False)
    steps: list = field(default_factory=list, compare=False)
    ended: list = field(default_factory=list, compare=False)

    def open(self, run):
        self.opened.append(run)
        return "handle"

    def tell(self, opened, points):
        assert opened == "handle"
        for point in points:
            if point.step in self.fails:
                raise OSError(28, "No space\nleft on device")
            self.steps.append(point.step)

    def close(self, opened, ended):
        self.ended.append(ended)


def score(step):
    cohorts = {"0": [1, 0.5]}
    return {"event": "score", "at_s": float(step), "participations": step, "accuracy": 0.5, "cohorts": cohorts}


def log(directory, *steps, ended=False):
    """The log with these steps: what was there is cut off."""
    events = [{"event": "run"}, *map(score, steps), *([{"event": "end", "ledger": {}}] if ended else [])]
    (directory / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(telling, "EVERY_S", 0.0)


def start(directory, *heard, say=print):
    return Telling([("heard", h) for h in heard], directory, FACTS, say)


def test_what_is_new_is_told_when_it_is_there(tmp_path):
    heard = Heard()
    with start(tmp_path, heard) as told:
        told.look(None, None, over=False)  # there is no log yet
        log(tmp_path, 0)
        told.look(None, None, over=False)
        assert heard.steps == [0]
        with (tmp_path / "events.jsonl").open("a") as out:
            line = json.dumps(score(8))
            out.write(line[:9])
            out.flush()
            told.look(None, None, over=False)
            assert heard.steps == [0]  # half a line waits
            out.write(line[9:] + "\n")
            out.flush()
            told.look(None, None, over=False)
        assert heard.steps == [0, 8]
    assert heard.ended == [False]
    (run,) = heard.opened
    assert run.directory == tmp_path and run.title() == f"tiny-auxo-seed-3-{run.key}"
    assert run.title("mine") == f"mine-auxo-seed-3-{run.key}" and len(run.key) == 8


def test_a_log_that_was_cut_back_is_told_on_from_where_it_was(tmp_path):
    log(tmp_path, 0, 8, 16)
    with start(tmp_path, Heard()):
        pass
    log(tmp_path, 0, 8)  # the checkpoint was before 16
    heard = Heard()
    with start(tmp_path, heard) as told:
        told.look(None, None, over=False)
        log(tmp_path, 0, 8, 16, 24, ended=True)
    assert heard.steps == [24]
    assert heard.ended == [True]


def test_the_key_stays_and_nothing_new_opens_nothing(tmp_path):
    log(tmp_path, 0, ended=True)
    first, second = Heard(), Heard()
    for heard in (first, second):
        with start(tmp_path, heard):
            pass
    key = json.loads((tmp_path / "trackers.json").read_text())["key"]
    assert first.opened[0].key == key
    assert second.opened == second.ended == []


def test_another_tracker_hears_it_all_from_the_beginning(tmp_path):
    log(tmp_path, 0, 8)
    with start(tmp_path, Heard()):
        pass
    other = Heard(fails=(99,))
    with start(tmp_path, other):
        pass
    assert other.steps == [0, 8]


def test_one_that_fails_is_told_no_more_and_the_others_are(tmp_path):
    log(tmp_path, 0)
    said, bad, good = [], Heard(fails=(8,)), Heard()
    with start(tmp_path, bad, good, say=said.append) as told:
        told.look(None, None, over=False)
        log(tmp_path, 0, 8, 16)
        told.look(None, None, over=False)
        assert said == [
            "tracker heard failed (OSError: [Errno 28] No space left on device); the run goes on without it"
        ]
        log(tmp_path, 0, 8, 16, 24)
    assert (bad.steps, good.steps) == ([0], [0, 8, 16, 24])
    assert (bad.ended, good.ended) == ([], [False])
    assert len(said) == 1


def test_marks_that_cannot_be_read_or_written_stop_the_trackers_alone(tmp_path):
    log(tmp_path, 0)
    said = []
    (tmp_path / "trackers.json").write_text("{")
    with start(tmp_path, Heard(), say=said.append) as told:
        told.look(None, None, over=False)
    (words,) = said
    assert words.startswith(f"no tracker is told: cannot read {tmp_path / 'trackers.json'}")
    assert words.endswith("remove it to tell them all again")
    (tmp_path / "trackers.json").unlink()
    (tmp_path / "trackers.json.part").mkdir()
    heard = Heard()
    with start(tmp_path, heard, say=said.append):
        pass
    assert said[1].startswith("tracker heard failed (cannot write ") and len(said) == 2
    assert heard.steps == []  # it could not be noted, so it is not told


def test_looking_is_rare(tmp_path, monkeypatch):
    monkeypatch.setattr(telling, "EVERY_S", 3600.0)
    log(tmp_path, 0)
    heard = Heard()
    with start(tmp_path, heard) as told:
        told.look(None, None, over=False)
        log(tmp_path, 0, 8)
        told.look(None, None, over=True)
        assert heard.steps == [0]
    assert heard.steps == [0, 8]


def test_csv_is_a_table_and_half_a_line_goes(tmp_path):
    log(tmp_path, 8)
    with start(tmp_path, Csv()):
        pass
    file = tmp_path / "trackers.csv"
    whole = file.read_text()
    assert whole.splitlines()[:2] == ["step,at_s,series,value", "8,8.0,accuracy,0.5"]
    file.write_text(whole + "16,16.0,accu")
    with start(tmp_path, Csv()):
        log(tmp_path, 8, 16)
    lines = file.read_text().splitlines()
    assert lines[: len(whole.splitlines())] == whole.splitlines()
    assert lines[len(whole.splitlines())] == "16,16.0,accuracy,0.5"


def test_a_csv_elsewhere_is_one_file_for_each_run(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        log(tmp_path / name, 0)
        with start(tmp_path / name, Csv(directory=str(tmp_path / "all"), run="mine")):
            pass
    files = sorted((tmp_path / "all").iterdir())
    assert len(files) == 2 and all(file.name.startswith("mine-auxo-seed-3-") for file in files)
