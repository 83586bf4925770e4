"""New clients look for their cohorts: trials counted by hand on a tree of four leaves, and a real run."""

import json

import numpy as np
import pytest

import horae
from horae.errors import ConfigError, RunError
from horae.newcomers import Newcomers, newcomers_of, report, search
from horae.pure.tree import Cohort, CohortTree

PATHS = [(0, 0), (0, 1), (1, 0), (1, 1)]


def found(reward, towards=None):
    """One client in a tree of two and two leaves; its loss is what its reward is not."""
    empty = np.zeros(0, np.float32)
    tree = CohortTree({path: Cohort(path, empty, empty) for path in PATHS}, {(): 2, (0,): 2, (1,): 2})
    reward = np.array([reward], float)
    way = np.zeros((1, 4, 4)) if towards is None else np.array([towards], float)
    return Newcomers(tree, 1 - reward, reward, reward, way, np.array([0]))


def starting_at(leaf):
    """A seed with which client 0 tries this leaf first."""
    from horae.pure.streams import stream

    return next(s for s in range(100) if stream(s, "newcomer", 0).permutation(4)[0] == leaf)


def test_who_fits_in_at_once_tries_one():
    here = found([0.5, 0.9, 0.1, 0.2])
    for way in ("random", "binary", "update"):
        ends, trials = search(here, way, starting_at(2))
        assert (ends.tolist(), trials.tolist()) == ([2], [1])
    ends, trials = search(here, "exhaustive", 0)
    assert (ends.tolist(), trials.tolist()) == ([1], [4])


def test_a_bad_fit_sends_it_to_the_other_half_of_the_tree():
    # ΔR = -1 at (0, 0) foretells -1/2 for its sibling and -1/3 for its cousins: a cousin is next
    ends, trials = search(found([-1, -1, 0.5, 0.5]), "binary", starting_at(0))
    assert ends[0] in (2, 3) and trials[0] == 2
    # a cousin fits badly too, -2: the sibling has -1/2 - 2/3, the other cousin -1/3 - 2/2, so the sibling is next
    ends, trials = search(found([-1, 0.5, -2, -2]), "binary", starting_at(0))
    assert (ends[0], trials[0]) == (1, 3)


def test_an_update_points_the_way():
    towards = np.zeros((4, 4))
    towards[0] = [0, 0.1, 0.2, 0.6]
    ends, trials = search(found([-1, -1, -1, 0.5], towards), "update", starting_at(0))
    assert (ends[0], trials[0]) == (3, 2)


@pytest.mark.parametrize("way", ["random", "binary", "update"])
def test_who_fits_in_nowhere_tries_all_and_takes_the_best(way):
    ends, trials = search(found([-3, -1, -2, -4]), way, 0)
    assert (ends[0], trials[0]) == (1, 4)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    changes = {"budget.participations": 3000, "baseline": "none"}
    return horae.run("demo", out=tmp_path_factory.mktemp("newcomers") / "run", changes=changes).directory


def test_new_clients_of_a_real_run_find_their_cohorts(run):
    rows = {row["way"]: row for row in report(newcomers_of(run, 60), 0)}
    assert rows["exhaustive"]["trials"] == 4 and rows["exhaustive"]["in_the_best"] == 1
    assert rows["update"]["trials"] < rows["random"]["trials"] < 4
    assert all(row["accuracy"] > 0.85 and row["in_the_best"] > 0.9 for row in rows.values())
    assert rows == {row["way"]: row for row in report(newcomers_of(run, 60), 0)}


def test_the_command(run, capsys):
    from horae.cli import app

    app(["newcomers", str(run), "--clients", "20", "--json"], standalone_mode=False)
    table = json.loads(capsys.readouterr().out)
    assert [row["way"] for row in table["ways"]] == ["random", "binary", "update", "exhaustive"]
    app(["newcomers", str(run), "--clients", "20"], standalone_mode=False)
    printed = capsys.readouterr().out
    assert "20 new clients, 4 cohorts" in printed and "exhaustive" in printed


def test_what_has_no_newcomers(tmp_path, run):
    with pytest.raises(RunError, match="is no finished run"):
        newcomers_of(tmp_path, 10)
    with pytest.raises(ConfigError, match="clients should be in"):
        newcomers_of(run, 0)
