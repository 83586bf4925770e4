"""A Flower strategy per cohort in a real deployment: the ServerApp is killed on its way, and goes on."""

import json
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

pytestmark = pytest.mark.flower


def told(file):
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_cohorts_outlive_their_server(deploy, tmp_path):
    from deployment import until

    app = Path(shutil.copytree(Path(__file__).parent / "cohortapp", tmp_path / "cohortapp"))
    here, config = deploy(nodes=4), {"checkpoint": str(tmp_path / "state")}
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    run = here.begin(app, out=str(first), **config)
    until(lambda: len(told(first)) >= 2, 200, lambda: here.told())  # the cohort has split
    here.kill_server_app()
    here.finish(run)
    done = here.run(app, out=str(second), **config)
    assert done.code == 0, here.told()

    *rounds, end = told(second)
    before = told(first)
    assert [one["round"] for one in before[:2]] == [1, 2]
    done_before = {(tuple(one["path"]), one["round"]) for one in before}
    assert not done_before & {(tuple(one["path"]), one["round"]) for one in rounds}  # nothing is done again
    assert {tuple(one["path"]) for one in rounds} == {(0,), (1,)}
    ids = {int(here.node_ids(i)[-1]): i for i in range(4)}
    members = {tuple(one["path"]): sorted(ids[node] for node in one["nodes"]) for one in rounds if one["round"] == 4}
    assert sorted(members.values()) == [[0, 2], [1, 3]]
    east = next(path for path, clients in members.items() if clients == [0, 2])
    models = {path: end["models"][str(path)] for path in members}
    assert all(value > 0.3 if path == east else value < -0.3 for path, value in models.items())
    records = [list((here.home / f"state-{i}").glob("affinity-*")) for i in range(4)]
    assert [len(files) for files in records] == [1] * 4  # the same experiment, on each client's disk
    print([one["seconds"] for one in before], [one["seconds"] for one in rounds])
