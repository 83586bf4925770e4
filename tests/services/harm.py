"""Runs to which a test does harm, and what must be true of them afterwards."""

import json
import threading
import time

import horae
from horae.errors import HoraeError

TIMEOUT_S, PATIENCE_S = 15.0, 60.0  # a task's; and the longest that a run may take to end, with two cores at work


class Running(threading.Thread):
    """A run in a thread of its own, so that the test can do harm meanwhile."""

    def __init__(self, out, executor, plane, rounds=20, timeout_s=TIMEOUT_S):
        super().__init__(daemon=True)
        self.out, self.result, self.error = out, None, None
        site = {"executor": executor, "workers": 2, "timeout_s": timeout_s}
        self.table = {
            "name": "harmed", "participants": 4, "overcommit": 1.0, "baseline": "none", "data_plane": plane,
            "budget": {"participations": 4 * rounds}, "clustering": {"name": "single"}, "site": site,
            "evaluation": {"every": 1000, "clients": 20}, "population": {"name": "digits-rotated", "clients": 20},
        }  # fmt: skip
        self.start()

    def run(self):
        try:
            self.result = horae.run(self.table, out=self.out)
        except BaseException as error:
            self.error = error

    def events(self, kind):
        file = self.out / "events.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        found = [json.loads(line) for line in lines if line.endswith("}")]
        return [event for event in found if event["event"] == kind]

    def under_way(self):
        """Wait until a round is over, and the tasks of the next one are out."""
        wait_until(lambda: self.events("round") or not self.is_alive())
        assert self.is_alive(), self.error
        time.sleep(0.1)

    def ended(self, seconds=PATIENCE_S):
        """Wait for its end; what was raised must be one line of ours."""
        self.join(seconds)
        assert not self.is_alive(), f"the run hangs: {self.events('failure')[-3:]}"
        if self.error is not None:
            assert isinstance(self.error, HoraeError), repr(self.error)
            assert "\n" not in str(self.error)
        return self.error


def wait_until(true, seconds=60.0):
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it did not come to pass"
        time.sleep(0.01)


def assert_named(run, *kinds):
    """Failures in the log, each with a client and a kind."""
    failures = run.events("failure")
    assert failures, (run.error, run.events("round"))
    assert all(f["client"] < 20 and f["kind"] in kinds and f["why"] for f in failures), failures


def assert_usable(tmp_path, executor, plane, timeout_s=TIMEOUT_S):
    again = Running(tmp_path / "again", executor, plane, rounds=3, timeout_s=timeout_s)
    assert again.ended(PATIENCE_S + timeout_s) is None
    assert len(again.events("round")) == 3 and not again.events("failure")
