"""Children that are small scripts: how many at a time, how they fail, and how they are stopped."""

import os
import signal
import sys
import threading
import time

import pytest

from horae.compare.processes import Job, carry_out

# Says "ready" once it can be interrupted, then waits; on Ctrl-C it ends as a run does, or not at all.
PATIENT = """
import signal, sys, time, pathlib
def stop(*_): sys.exit(130)
signal.signal(signal.SIGINT, {handler})
pathlib.Path({place!r}).write_text("ready")
time.sleep(30)
"""


class Looker:
    """Remembers the most jobs it has seen at once, and every remark."""

    def __init__(self, wanted=0, files=()):
        self.most, self.words, self.wanted, self.files = 0, [], wanted, list(files)

    def look(self, running):
        self.most = max(self.most, len(running))
        if self.wanted and all(file.exists() for file in self.files):
            self.wanted -= 1
            os.kill(os.getpid(), signal.SIGINT)

    def say(self, words):
        self.words.append(words)


def jobs(tmp_path, n):
    places = (tmp_path / "runs" / "arm" / f"seed-{i}" for i in range(n))
    return [
        Job("arm", i, tmp_path / f"{i}.toml", place, tmp_path / "logs" / f"{i}.txt") for i, place in enumerate(places)
    ]


def script(code):
    return lambda job: [sys.executable, "-c", code]


def test_all_are_run_and_never_more_than_asked_for(tmp_path):
    looker, todo = Looker(), jobs(tmp_path, 5)
    code = "import time; time.sleep(0.15)"
    assert carry_out(todo, 2, script(code), looker) == ({}, False)
    assert looker.most == 2
    assert looker.words == []
    assert all(job.log.exists() for job in todo)


def test_nothing_to_do_is_done(tmp_path):
    assert carry_out([], 2, script("1 / 0"), Looker()) == ({}, False)


def test_one_that_fails_says_why_and_stops_no_other(tmp_path):
    codes = [
        "import sys; sys.stderr.write('first\\nhorae: participants should be lower\\n\\n'); sys.exit(2)",
        "import os; os.kill(os.getpid(), 9)",
        "import sys; sys.exit(3)",
        "pass",
        "1 / 0",
        "import sys; sys.exit(130)",  # somebody else's Ctrl-C
    ]
    todo = jobs(tmp_path, len(codes))
    failed, stopped = carry_out(todo, 3, lambda job: [sys.executable, "-c", codes[job.seed]], Looker())
    assert not stopped
    assert {job.seed: reason for job, reason in failed.items()} == {
        0: "participants should be lower",
        1: "killed by SIGKILL",
        2: "exit code 3, without a word",
        4: "ZeroDivisionError: division by zero",
        5: "exit code 130, without a word",
    }


def test_children_know_their_parent_and_read_nothing(tmp_path):
    (job,) = jobs(tmp_path, 1)
    code = "import os, sys; assert sys.stdin.read() == ''; print('out'); sys.exit(os.environ['HORAE_PARENT'])"
    failed, _ = carry_out([job], 1, script(code), Looker())
    assert failed == {job: str(os.getpid())}


def test_children_are_in_sessions_of_their_own(tmp_path):
    (job,) = jobs(tmp_path, 1)
    code = "import os, sys; sys.exit(str(os.getsid(0) == os.getpid()))"
    assert carry_out([job], 1, script(code), Looker())[0] == {job: "True"}


def patient(tmp_path, todo, handler):
    """A command for each job, and the files that say that all are waiting."""
    files = {job: tmp_path / f"ready-{job.seed}" for job in todo}
    return lambda job: [sys.executable, "-c", PATIENT.format(handler=handler, place=str(files[job]))], files


def test_the_first_interrupt_asks_the_running_and_begins_no_other(tmp_path):
    todo = jobs(tmp_path, 3)
    command, files = patient(tmp_path, todo, "stop")
    looker = Looker(1, [files[todo[0]], files[todo[1]]])
    before, started = signal.getsignal(signal.SIGINT), time.monotonic()
    assert carry_out(todo, 2, command, looker) == ({}, True)
    assert time.monotonic() - started < 10
    assert not files[todo[2]].exists()
    assert looker.words == ["stopping after the rounds in flight; once more to stop at once"]
    assert signal.getsignal(signal.SIGINT) is before


def test_the_second_interrupt_kills(tmp_path):
    todo = jobs(tmp_path, 1)
    command, files = patient(tmp_path, todo, "signal.SIG_IGN")
    started = time.monotonic()
    assert carry_out(todo, 1, command, Looker(2, files.values())) == ({}, True)
    assert time.monotonic() - started < 10


def test_an_interrupt_too_late_to_stop_anything_stops_nothing(tmp_path):
    todo = jobs(tmp_path, 1)
    command, files = patient(tmp_path, todo, "lambda *_: sys.exit(0)")  # it was at its end anyway
    assert carry_out(todo, 1, command, Looker(1, files.values())) == ({}, False)


def test_a_defect_here_leaves_no_child_behind(tmp_path):
    todo = jobs(tmp_path, 1)
    command, files = patient(tmp_path, todo, "stop")

    class Broken(Looker):
        def look(self, running):
            if files[todo[0]].exists():
                raise ZeroDivisionError

    started = time.monotonic()
    with pytest.raises(ZeroDivisionError):
        carry_out(todo, 1, command, Broken())
    assert time.monotonic() - started < 10


def test_other_threads_can_compare_but_not_listen(tmp_path):
    found = []
    thread = threading.Thread(target=lambda: found.append(carry_out(jobs(tmp_path, 1), 1, script("pass"), Looker())))
    thread.start()
    thread.join(30)
    assert found == [({}, False)]


def test_a_run_is_begun_or_gone_on_with(tmp_path):
    (job,) = jobs(tmp_path, 1)
    begin = job.command(None)
    assert begin[1:] == ["-m", "horae", "run", str(job.experiment), "--out", str(job.directory), "--json"]
    job.directory.mkdir(parents=True)
    assert job.command(None) == begin
    (job.directory / "experiment.toml").write_text("")
    there = tmp_path / "data"
    assert job.command(there)[3:] == ["run", "--resume", str(job.directory), "--data-root", str(there), "--json"]
    assert not job.finished
    (job.directory / "summary.json").write_text("{}")
    assert job.finished
