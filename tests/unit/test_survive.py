"""A federation of real processes outlives its coordinator and its workers."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "survive.py"


def started(folder, role):
    more = {"SURVIVE_SLEEP_S": "0.05", "SURVIVE_ROUNDS": "12", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(folder), role], stdout=subprocess.PIPE, text=True, env={**os.environ, **more}
    )


def until(ready, what, seconds=90):
    end = time.monotonic() + seconds
    while not (found := ready()):
        assert time.monotonic() < end, f"no {what}"
        time.sleep(0.005)
    return found


def killed(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_coordinator_and_worker_are_killed_and_the_federation_goes_on(tmp_path):
    for part in ("jobs", "replies"):
        (tmp_path / part).mkdir()
    workers = [started(tmp_path, "work") for _ in range(2)]
    first = started(tmp_path, "coordinate")
    try:
        until(lambda: [*tmp_path.glob("0-[3-9].cohort")], "third round")
        until(lambda: [*(tmp_path / "jobs").iterdir()], "round in flight")
        killed(first)
        assert all(worker.poll() is None for worker in workers)
        (reply,) = until(lambda: [*(tmp_path / "replies").glob("*.reply")], "waiting reply")
        until(lambda: not [*(tmp_path / "jobs").iterdir()], "end of the round in flight")
        before = {file.name: file.read_bytes() for file in tmp_path.glob("*.cohort")}
        time.sleep(0.3)
        assert reply.exists()  # it waits
        assert before == {file.name: file.read_bytes() for file in tmp_path.glob("*.cohort")}  # nobody is matched

        second = started(tmp_path, "coordinate")
        assert second.stdout.readline().startswith(f"{reply.stem}: ")  # the reply is used, not trained again
        held = until(lambda: [*(tmp_path / "jobs").glob(f"*.{workers[0].pid}")], "job of the first worker")[0]
        killed(workers[0])
        printed, _ = second.communicate(timeout=120)
        assert second.returncode == 0
        rounds = [line.split(":")[0] for line in printed.splitlines() if " replies" in line]
        assert len(rounds) == len(set(rounds))  # none twice
        assert held.stem in rounds  # what the dead worker had was done by the other one
        assert all(file.name.rsplit("-", 1)[1] == "12.cohort" for file in tmp_path.glob("*.cohort"))
        workers[1].wait(30)
    finally:
        for process in (first, *workers):
            process.kill()
            process.communicate()
