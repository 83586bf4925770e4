"""How far a run has come, read from a log that grows."""

import io
import json

import pytest
from rich.console import Console

from horae.compare.bars import Bars, Tail, cores
from horae.compare.processes import Job
from horae.federate import Budget


def line(clients, at_s, nbytes=10):
    event = {"event": "round", "cohort": "0", "at_s": at_s, "clients": list(range(clients))}
    return json.dumps({**event, "nbytes_up": nbytes, "nbytes_down": 2 * nbytes}, separators=(",", ":")) + "\n"


@pytest.mark.parametrize(
    ("budget", "shares"),
    [
        (Budget(participations=20), [0.2, 0.5]),
        (Budget(simulated_s=400.0), [0.25, 0.5]),
        (Budget(bytes=300), [0.1, 0.2]),
    ],
)
def test_the_share_of_the_budget_is_what_the_rounds_have_spent(budget, shares, tmp_path):
    file = tmp_path / "events.jsonl"
    tail = Tail(file, budget)
    assert tail.share() == 0
    file.write_text('{"event":"run"}\n' + line(4, 100.0))
    assert tail.share() == pytest.approx(shares[0])
    with file.open("a") as log:
        log.write('{"event":"verdict","at_s":900}\n' + line(6, 200.0)[:-5])
    assert tail.share() == pytest.approx(shares[0])  # half a line is no line yet
    with file.open("a") as log:
        log.write(line(6, 200.0)[-5:])
    assert tail.share() == pytest.approx(shares[1])
    assert tail.share() == pytest.approx(shares[1])


def test_a_log_that_was_cut_back_is_read_anew(tmp_path):
    file = tmp_path / "events.jsonl"
    file.write_text(line(4, 1.0) + line(4, 2.0))
    tail = Tail(file, Budget(participations=10))
    assert tail.share() == pytest.approx(0.8)
    file.write_text(line(4, 1.0))
    assert tail.share() == pytest.approx(0.4)


def test_more_than_everything_is_everything_and_rubbish_is_nothing(tmp_path):
    file = tmp_path / "events.jsonl"
    file.write_text('{"event":"round"\n{"event":"round"}\n\n\x00\n' + line(40, 1.0))
    assert Tail(file, Budget(participations=10)).share() == 1


def bars(tmp_path, **console):
    jobs = [Job(f"arm [{i}]", i, tmp_path, tmp_path / str(i), tmp_path) for i in range(2)]
    out = io.StringIO()
    screen = Console(file=out, width=80, **console)
    return jobs, out, Bars(screen, dict.fromkeys(jobs, Budget(participations=10)), 1, quiet=False)


def test_a_bar_for_each_running_job_and_one_for_all(tmp_path):
    jobs, out, drawn = bars(tmp_path, force_terminal=True)
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "events.jsonl").write_text(line(5, 1.0))
    with drawn:
        drawn.look(jobs[:1])
    text = out.getvalue()
    assert "1 of 3 runs" in text
    assert "arm [0] · seed 0" in text
    assert "50 %" in text  # both its own, 5 of 10, and all: 1 and a half of 3
    assert "arm [1]" not in text


def test_trials_are_called_so(tmp_path):
    jobs, out, _ = bars(tmp_path, force_terminal=True)
    screen = Console(file=out, width=80, force_terminal=True)
    with Bars(screen, {jobs[0]: Budget(participations=10)}, 0, quiet=False, what="trials") as drawn:
        drawn.look(jobs[:1])
    assert "0 of 1 trials" in out.getvalue()


def test_nothing_is_drawn_where_there_is_no_terminal(tmp_path):
    jobs, out, drawn = bars(tmp_path, force_terminal=False)
    with drawn:
        drawn.look(jobs)
    assert out.getvalue() == ""


def test_there_is_a_core():
    assert cores() >= 1
