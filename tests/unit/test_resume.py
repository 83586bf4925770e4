"""A run that was stopped goes on as if it had not been: killed, interrupted, out of room, or asked from Python."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import horae
from horae import checkpoint
from horae.errors import ConfigError, RunError, Stopped
from horae.training import Trainer

SMALL = {
    "name": "small", "participants": 10, "budget": {"participations": 100}, "clustering": {"name": "oracle"},
    "population": {"name": "digits-rotated", "clients": 40}, "evaluation": {"every": 3},
}  # fmt: skip


class After:
    """Asks to stop after so many rounds."""

    def __init__(self, rounds):
        self.left = rounds

    def __call__(self):
        self.left -= 1
        return self.left < 0


def stopped(rounds, out, **more):
    with pytest.raises(Stopped, match=f"go on with: horae run --resume {out}"):
        horae.run(SMALL, out=out, stop=After(rounds), **more)


@pytest.fixture(autouse=True, scope="module")
def no_reports():
    """Drawing takes longer than these runs; that the same is drawn from the same is for test_html to show."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("horae.report.html.write_report", lambda directory: None)
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory, no_reports):
    return horae.run(SMALL, out=tmp_path_factory.mktemp("whole") / "run")


def same(one, other):
    for arm in ("", "baseline"):
        assert (one / arm / "events.jsonl").read_bytes() == (other / arm / "events.jsonl").read_bytes()
        mine, theirs = (json.loads((d / arm / "summary.json").read_text()) for d in (one, other))
        assert {k: v for k, v in mine.items() if "wall" not in k} == {
            k: v for k, v in theirs.items() if "wall" not in k
        }


@pytest.mark.parametrize("rounds", [0, 1, 7, 45])  # the last one in the baseline
def test_stopped_and_resumed_is_the_same_as_never_stopped(tmp_path, whole, rounds):
    stopped(rounds, tmp_path / "run")
    result = horae.run(resume=tmp_path / "run")
    same(tmp_path / "run", whole.directory)
    assert result.scores == whole.scores
    for path, params in whole.models.items():
        np.testing.assert_array_equal(result.models[path], params)


PRUNED = {
    "model": {"name": "mlp", "hidden": [16]}, "algorithm": {"name": "fedyogi"},
    "pruning": {"name": "autoflip", "threshold": 0.5, "structured": 0.2, "schedule": "refresh", "every": 3},
    "channels": [{"name": "feedback"}, {"name": "top_k", "share": 0.2}, {"name": "int8"}],
}  # fmt: skip


ALIGNED = {
    "availability": {"name": "always"}, "clustering": {"name": "single"}, "alignment": {
        "name": "halor", "window_clients": 40, "window_rounds": 2, "every": 2, "group": 10, "noise": 7.0,
    },
}  # fmt: skip


@pytest.mark.parametrize("more", [{"clustering": {"name": "auxo"}}, PRUNED, ALIGNED], ids=["auxo", "pruned", "aligned"])
def test_stopped_after_every_round_it_still_ends_the_same(tmp_path, more):
    table = {**SMALL, **more, "baseline": "none"}
    horae.run(table, out=tmp_path / "whole")
    out, turns = tmp_path / "run", 1
    with pytest.raises(Stopped):
        horae.run(table, out=out, stop=After(0))
    while not (out / "summary.json").exists():
        turns += 1
        with suppress(Stopped):
            horae.run(resume=out, stop=After(0))
    events = (out / "events.jsonl").read_text()
    assert turns == events.count('"event":"round"') + 1
    assert events == (tmp_path / "whole" / "events.jsonl").read_text()
    assert events.count('"event":"census"') == (5 if "alignment" in more else 0)


def test_a_finished_run_is_read_and_not_done_again(tmp_path, whole):
    before = {f: f.read_bytes() for f in whole.directory.rglob("*.jsonl")}
    again = horae.run(resume=whole.directory)
    assert {f: f.read_bytes() for f in before} == before
    assert again.summary == whole.summary
    assert again.baseline.scores == whole.baseline.scores
    np.testing.assert_array_equal(again.tree.leaves()[0].params, whole.tree.leaves()[0].params)


def test_with_the_experiment_named_it_begins_or_goes_on(tmp_path):
    out = tmp_path / "run"
    with pytest.raises(Stopped):
        horae.run(SMALL, resume=out, stop=After(3))
    horae.run(SMALL, resume=out)
    assert (out / "summary.json").exists()


def test_another_experiment_does_not_go_on(tmp_path):
    out = tmp_path / "run"
    stopped(3, out)
    before = {f: f.read_bytes() for f in out.rglob("*") if f.is_file()}
    with pytest.raises(ConfigError, match=r"seed should be 0 as when .* began, got 3"):
        horae.run(resume=out, seed=3)
    with pytest.raises(ConfigError, match=r"training.lr should be 0.1 .* got 0.2"):
        horae.run({**SMALL, "training": {"lr": 0.2}}, resume=out)
    text = (out / "experiment.toml").read_text()
    (out / "experiment.toml").write_text(text.replace("lr = 0.1", "lr = 0.3"))
    with pytest.raises(RunError, match=r"training.lr was 0.1 when the run in .* began and is 0.3 now"):
        horae.run(resume=out)
    (out / "experiment.toml").write_text(text)
    assert {f: f.read_bytes() for f in out.rglob("*") if f.is_file()} == before


def test_other_data_do_not_go_on(tmp_path):
    rng = np.random.default_rng(0)
    people = [(rng.normal(size=(10, 3)), np.arange(10) % 2) for _ in range(12)]
    table = {"participants": 4, "budget": {"participations": 40}, "clustering": {"name": "single"}}
    given, out = horae.Population.from_arrays(people), tmp_path / "run"
    with pytest.raises(Stopped):
        horae.run(table, population=given, out=out, stop=After(3))
    with pytest.raises(ConfigError, match=r"it is in no file: hand it over again with horae.run"):
        horae.run(resume=out)
    people[3][0][0, 0] += 1
    with pytest.raises(RunError, match=r"data.clients was .* and is .* now"):
        horae.run(resume=out, population=horae.Population.from_arrays(people))
    people[3][0][0, 0] -= 1
    assert horae.run(resume=out, population=horae.Population.from_arrays(people)).participations >= 40


@pytest.mark.parametrize("what", ["nothing", "empty", "foreign"])
def test_a_place_without_a_run_is_refused(tmp_path, what):
    out = tmp_path / "run"
    if what != "nothing":
        out.mkdir()
    if what == "foreign":
        (out / "letter.txt").write_text("dear")
    with pytest.raises(RunError, match="check the path"):
        horae.run(resume=out)
    assert not (out / ".lock").exists()


def test_out_and_resume_name_one_place(tmp_path):
    with pytest.raises(ConfigError, match="--out and --resume name two places"):
        horae.run(SMALL, out=tmp_path / "a", resume=tmp_path / "b")


def test_a_log_that_was_cut_short_falls_back_on_the_checkpoint_before(tmp_path, whole, monkeypatch):
    monkeypatch.setattr(checkpoint, "SHARE", 1.0)
    out = tmp_path / "run"
    stopped(5, out)
    log = out / "events.jsonl"
    log.write_bytes(log.read_bytes()[:-5])  # the newest checkpoint knows of more than that
    horae.run(resume=out)
    same(out, whole.directory)


def test_a_log_that_was_changed_is_refused(tmp_path):
    out = tmp_path / "run"
    stopped(5, out)
    log = out / "events.jsonl"
    log.write_text(log.read_text().replace('"seed":0', '"seed":1'))
    with pytest.raises(RunError, match="was changed or cut short since the checkpoint"):
        horae.run(resume=out)
    assert '"seed":1' in log.read_text()


def test_two_runs_do_not_share_a_directory(tmp_path):
    refused = []

    class Once:
        def __call__(self):
            if not refused:
                try:
                    horae.run(SMALL, resume=tmp_path / "run")
                except RunError as error:
                    refused.append(str(error))
            return False

    horae.run(SMALL, out=tmp_path / "run", stop=Once())
    assert refused == [f"{tmp_path / 'run'} is in use by another run; wait for it, or choose another place"]


def test_any_number_of_workers_gives_the_same_bytes(tmp_path):
    table = {**SMALL, "participants": 40, "overcommit": 1.0, "clustering": {"name": "single"}, "baseline": "none"}
    table["availability"] = {"name": "always"}
    logs = []
    for workers in (1, 2, 4):  # forty participants are three chunks
        horae.run(table, out=tmp_path / str(workers), workers=workers)
        logs.append((tmp_path / str(workers) / "events.jsonl").read_bytes())
    assert logs[0] == logs[1] == logs[2]
    with pytest.raises(ConfigError, match="workers should be in"):
        horae.run(SMALL, out=tmp_path / "none", workers=0)


def command(*words, **more):
    return subprocess.Popen(
        [sys.executable, "-m", "horae", "run", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    )


def wait_for(file, process):
    until = time.monotonic() + 60
    while not file.exists() and time.monotonic() < until and process.poll() is None:
        time.sleep(0.01)
    assert file.exists(), process.communicate()


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_stops_after_the_round_in_flight_and_says_how_to_go_on(tmp_path, kind):
    out = tmp_path / "run"
    with command("--out", str(out)) as process:
        wait_for(out / "checkpoints" / "000000003.ckpt", process)
        process.send_signal(kind)
        printed, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert printed == ""
    assert said.splitlines() == [
        "stopping after the round in flight; once more to stop at once",
        f"horae: stopped after the round in flight; go on with: horae run --resume {out}",
    ]
    *events, rest = (out / "events.jsonl").read_text().split("\n")
    assert rest == ""
    assert (
        {"run", "round", "score"}
        <= {json.loads(line)["event"] for line in events}
        <= {"run", "round", "score", "verdict"}
    )


def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path):
    """No file may grow beyond 60 kB: the log hits that in the middle of the run."""
    script = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000)); "
    script += "sys.argv[0] = 'horae'; from horae.__main__ import main; main()"
    words = ["run", "--set", "model.name=logistic", "--set", "clustering.name=single", "--set", "baseline=none"]
    words += ["--out", str(tmp_path / "run")]
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"horae: cannot write {tmp_path / 'run' / 'events.jsonl'}: File too large; make room")
    assert line.endswith(f"then go on with: horae run --resume {tmp_path / 'run'}")
    horae.run(resume=tmp_path / "run")
    horae.run("demo", out=tmp_path / "whole", changes={"clustering.name": "single", "baseline": "none"})
    assert (tmp_path / "run" / "events.jsonl").read_bytes() == (tmp_path / "whole" / "events.jsonl").read_bytes()


def test_a_run_whose_starter_has_died_stops(tmp_path):
    out = tmp_path / "run"
    with command("--out", str(out), env={**os.environ, "HORAE_PARENT": "1"}) as process:
        assert process.wait(60) == 130
    assert (out / "checkpoints").is_dir()


def kill_often(kills, names, folder):
    """In a process of its own: it forks, and a process that ran threads should not."""
    script = Path(__file__).parent.parent / "kills.py"
    done = subprocess.run(
        [sys.executable, str(script), str(kills), *names],
        capture_output=True,
        text=True,
        env={**os.environ, "TMPDIR": str(folder)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_five_random_kills_change_nothing(tmp_path):
    assert [line.split(":")[0] for line in kill_often(5, ["demo"], tmp_path)] == ["demo"]


@pytest.mark.slow
def test_a_hundred_random_kills_change_nothing(tmp_path):
    assert [line.split(":")[0] for line in kill_often(100, [], tmp_path)] == ["demo", "unequal-late", "phones"]


def small(out, **more):
    return horae.run("demo", out=out, changes={"budget.participations": 600, "baseline": "none"}, **more)


def failing(monkeypatch, on):
    """Training that fails on these calls, with an error that is nobody's fault."""
    train, calls = Trainer.train, []

    def sometimes(self, work):
        calls.append(work.round)
        if len(calls) in on:
            raise MemoryError("no room for the updates")
        return train(self, work)

    monkeypatch.setattr(Trainer, "train", sometimes)
    return calls


def test_a_round_that_fails_is_done_again_to_the_same_bits(tmp_path, monkeypatch, caplog):
    small(tmp_path / "undisturbed")
    with monkeypatch.context() as patch:
        calls = failing(patch, on={3, 7, 8})
        small(tmp_path / "disturbed")
    log = [(tmp_path / name / "events.jsonl").read_bytes() for name in ("undisturbed", "disturbed")]
    assert log[0] == log[1]
    assert calls[2] == calls[3] == 2
    assert len(caplog.messages) == 3
    expected = "round 2 of cohort 0 failed (MemoryError: no room for the updates) and is done again"
    assert caplog.messages[0] == expected


def test_a_round_that_fails_for_good_ends_the_run_where_it_can_go_on(tmp_path, monkeypatch):
    small(tmp_path / "undisturbed")
    with monkeypatch.context() as patch:
        failing(patch, on={5, 6, 7})
        with pytest.raises(RunError, match=r"round 4 of cohort 0 failed 3 times .MemoryError: no room"):
            small(tmp_path / "disturbed")
    horae.run(resume=tmp_path / "disturbed")
    log = [(tmp_path / name / "events.jsonl").read_bytes() for name in ("undisturbed", "disturbed")]
    assert log[0] == log[1]
