"""`horae census`: totals beside the plain sums, what it refuses in one line, and that nothing of it stays."""

import json
import os
import pty
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from typer.testing import CliRunner

from horae.census import Result, Terms
from horae.cli import app
from horae.cli.census import faults_of, holding, terms_of
from horae.cli.census_facts import epoch_of, facts_of, totals_of
from horae.errors import ConfigError, HoraeError, RunError

SMALL = ("--clients", "14", "--labels", "4")


def invoke(*args):
    return CliRunner().invoke(app, ["census", *args], env={"COLUMNS": "80"})


def test_json():
    done = invoke(*SMALL, "--drop", "0.15", "--drop-at", "turn", "--transport", "chain", "--json")
    assert done.exit_code == 0, (done.output, done.exception)
    facts = json.loads(done.stdout)
    assert facts["exact"] is True and (facts["survivors"], facts["dropped"], facts["refused"]) == (12, 2, 0)
    (epoch,) = facts["epochs"]
    assert epoch["totals"] == epoch["plain"]
    held = [holding("counts", 4, client, 0) for client in epoch["survivors"]]
    assert epoch["totals"] == np.sum(held, axis=0).tolist()
    assert facts["bytes_up_mean"] <= facts["bytes_up_max"] < facts["bytes_per_client"]
    assert abs(facts["bytes_per_client"] - facts["bytes_up_mean"] - facts["bytes_down_mean"]) <= 1


def test_for_people():
    done = invoke(*SMALL, "--vector", "sums", "--seed", "3")
    assert done.exit_code == 0
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["label", "total", "plain", "sum"]
    assert all(line[1] == line[2] for line in lines[1:5])
    assert lines[7][:8] == ["1", "released", "yes", "14", "0", "0", "0", "1"]
    assert max(map(len, done.stdout.splitlines()[:-1])) <= 80


def test_an_abort_is_shown_then_one_line():
    done = invoke(*SMALL, "--drop", "0.5", "--drop-at", "roster", "--json")
    assert isinstance(done.exception, RunError)
    words = "no totals: epoch 1 was aborted: 7 members that dealt shares, fewer than n_min = 10;"
    assert str(done.exception).startswith(words)
    facts = json.loads(done.stdout)
    assert (facts["exact"], facts["survivors"], facts["absent"]) == (False, 0, 7)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--clients", "9"), "--clients should be at least n_min = 10, got 9"),
        (("--clients", "1000000000"), "--clients should be at most 2,000 on one machine"),
        (("--labels", "1000000"), "--labels should be at most 166,666 for 60 clients, got 1000000"),
        (("--labels", "0"), "census.labels should be in [1, 1048576], got 0"),
        (("--drop", "1"), "--drop should be in [0, 1), got 1.0"),
        (("--drop", "nan"), "--drop should be in [0, 1), got nan"),
        (("--drop-at", "turns"), "--drop-at should be a step, got 'turns'; did you mean 'turn'?"),
        (("--drop-at", "reseal"), "--drop-at should be a step that a star has, got 'reseal'; take --transport chain"),
        (("--threshold", "16"), "census.threshold should exceed (degree + colluders) / 2 = 16, got 16; take at least"),
        (("--degree", "7"), "census.degree should be even and at least 2, got 7"),
        (("--transport", "ring"), "census.transport should be one of chain, star, got 'ring'"),
        (("--segments", "0"), "census.segments should be at least 1, got 0"),
        (("--vector", "means"), "--vector should be counts or sums, got 'means'"),
        (("--noise", "2"), "census.noise should be 0 or at least 2 √n_min = 6.32, got 2.0"),
        (("--epochs", "0"), "--epochs should be at least 1, got 0"),
        (("--processes", "-1"), "--processes should be at least 0, got -1"),
        (("--seed", "-1"), "--seed should be at least 0, got -1"),
        (("--hop", "0"), "census.hop_s should be positive, got 0.0"),
    ],
)
def test_a_mistake_is_one_line(args, words):
    done = invoke(*args)
    assert isinstance(done.exception, HoraeError) and done.stdout == ""
    assert str(done.exception).startswith(words) and "\n" not in str(done.exception)


def test_as_many_colluders_as_threshold_and_degree_bear():
    def agreed(degree, threshold):
        terms = terms_of(20, 5, "star", 1, degree, threshold, 0.0, "counts", None)
        return terms.threshold, terms.colluders, terms.hop_s

    assert agreed(32, None) == (21, 9, 6.0)
    assert agreed(16, None) == (11, 5, 6.0)
    assert agreed(16, 9) == (9, 1, 6.0)
    assert agreed(32, 30) == (30, 9, 6.0)


def test_who_drops_out_repeats_with_the_seed_and_is_spread_over_epochs():
    faults = faults_of(60, 0.5, None, False, "chain", 3, 7)
    assert faults == faults_of(60, 0.5, None, False, "chain", 3, 7) != faults_of(60, 0.5, None, False, "chain", 3, 8)
    assert len(faults) == 30 and {fault.epoch for fault in faults.values()} == {1, 2, 3}
    assert len({fault.kind for fault in faults.values()}) > 3


@pytest.mark.parametrize("vector", ["counts", "sums"])
def test_what_is_held_is_within_what_was_agreed(vector):
    terms = terms_of(60, 30, "star", 1, 32, None, 20.0, vector, None)
    held = np.array([holding(vector, 30, client, 1) for client in range(60)])
    assert held.min() >= 0 and held.max() <= terms.clip and held.sum(axis=1).max() <= terms.most
    assert len({tuple(row) for row in held.tolist()}) == 60


def result(totals, survivors=range(10)):
    """Two labels; every member counts one of each."""
    up = dict.fromkeys(range(12), 30) | {0: 90}
    return Result(
        1, "released", "", np.array(totals), tuple(survivors), (10,), (11,), 1, (), (), up, dict.fromkeys(range(12), 7)
    )


def test_facts_by_hand():
    held = {client: np.array([1, 1]) for client in range(12)}
    facts = facts_of([result([10, 10])], held, Terms(labels=2))
    assert (facts["exact"], facts["within_noise"]) == (True, True)
    assert (facts["bytes_up_mean"], facts["bytes_up_max"]) == (35, 90)  # (11 * 30 + 90) / 12
    assert (facts["bytes_down_mean"], facts["bytes_per_client"]) == (7, 42)
    assert (facts["epsilon"], facts["delta"]) == (None, None)
    assert facts_of([result([10, 10]), result([10, 11])], held, Terms(labels=2))["exact"] is False


def test_noise_is_right_within_six_deviations():
    held = {client: np.array([1, 1]) for client in range(12)}
    terms = Terms(labels=2, noise=20.0, most=2)  # ten members add 20 together
    seen = [epoch_of(result([10, 10 + off]), held, terms)["within_noise"] for off in (0, 119, 121, -121)]
    assert seen == [True, True, False, False]
    assert epoch_of(result([10, 11]), held, Terms(labels=2))["within_noise"] is False


def test_many_labels_are_cut_short():
    rows = totals_of({"totals": list(range(30)), "plain": list(range(30))})
    assert len(rows) == 21 and rows[-1] == ("...", "10 more", "in --json")


def test_noise_and_its_price_are_told():
    done = invoke(*SMALL, "--noise", "20")
    assert done.exit_code == 0, done.exception
    assert "± 23.7" in done.stdout and "ε = " in done.stdout  # 20 * √(14 / 10)


def test_a_bar_on_a_terminal_and_ctrl_c_leaves_nothing():
    host, guest = pty.openpty()
    command = [sys.executable, "-m", "horae", "census", *SMALL, "--drop", "0.1", "--drop-at", "turn", "--silent"]
    with subprocess.Popen([*command, "--hop", "100"], stdout=guest, stderr=guest, start_new_session=True) as process:
        os.close(guest)
        seen = b""
        while b"epoch 1,  carry" not in seen:  # it waits for the one that is silent
            seen += os.read(host, 4096)
        children = [
            int(pid)
            for pid in os.listdir("/proc")
            if pid.isdigit() and b"horae.census.crew" in cmdline(pid) and parents(pid) & {process.pid}
        ]
        assert len(children) >= 3
        process.send_signal(signal.SIGINT)
        while part := rest(host):
            seen += part
    os.close(host)
    assert process.returncode == 130 and b"horae: interrupted" in seen and b"Traceback" not in seen
    end = time.monotonic() + 20
    while any(cmdline(pid) for pid in children):
        assert time.monotonic() < end
        time.sleep(0.05)


def rest(host):
    """What the terminal shows next; nothing once the other end is closed."""
    try:
        return os.read(host, 4096)
    except OSError:
        return b""


def cmdline(pid):
    """A process's command line; empty if it has ended."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""


def parents(pid):
    """A process's parents, up to the first."""
    found = set()
    while int(pid) > 1:
        try:
            with open(f"/proc/{pid}/stat") as file:
                pid = int(file.read().rpartition(")")[2].split()[1])
        except OSError:
            break
        found.add(pid)
    return found


def test_terms_that_do_not_fit_are_refused_here_too():
    with pytest.raises(ConfigError, match=r"census.threshold should be in \[1, degree = 16\], got 21"):
        terms_of(20, 5, "star", 1, 16, 21, 0.0, "counts", None)
