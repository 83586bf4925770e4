"""horae's own loop over a real SuperLink and SuperNodes: cohorts, parity with the simulation, kills, strangers."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import horae

pytestmark = pytest.mark.flower
APP = Path(__file__).parent / "fieldapp"


def events(directory, kind):
    lines = map(json.loads, (directory / "events.jsonl").read_text().splitlines())
    return [event for event in lines if event["event"] == kind]


def summary(directory):
    return json.loads((directory / "summary.json").read_text())


def models(directory):
    from horae.checkpoint import read_ended

    tree = read_ended(directory / "checkpoints")[0].tree
    return {leaf.path: leaf.params for leaf in tree.leaves()}


@pytest.fixture
def app(tmp_path):
    return Path(shutil.copytree(APP, tmp_path / "fieldapp"))


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    place = tmp_path_factory.mktemp("simulated")
    found = {}
    for name in ("auxo", "single"):
        table = {k: v for k, v in _table().items() if k != "site"}
        if name == "single":
            table["clustering"] = {"name": "single"}
        found[name] = horae.run(table, out=place / name)
    return found


def _table():
    import tomllib

    return tomllib.loads((APP / "experiment.toml").read_text())


def test_the_same_file_and_seed_give_the_same_cohorts_and_models(deploy, app, tmp_path, simulated):
    here, out = deploy(nodes=8), tmp_path / "run"
    run = here.run(app, 1500, out=str(out))
    assert run.code == 0 and run.status.startswith("finished:completed"), here.told()
    found, auxo, single = summary(out), simulated["auxo"], simulated["single"]
    assert found["cohorts"] == auxo.cohorts == 2 and found["adjusted_rand_index"] == 1.0
    assert found["accuracy"] == pytest.approx(auxo.accuracy, abs=1e-6)
    assert found["accuracy"] > single.accuracy + 0.02
    assert not events(out, "failure")
    assert len(here.kept) == 8  # each node trained in one process, however many messages came
    rounds = [(e["cohort"], e["number"], e["clients"]) for e in events(out, "round")]
    assert rounds == [(e["cohort"], e["number"], e["clients"]) for e in events(auxo.directory, "round")]
    mine = models(out)
    for path, params in auxo.models.items():
        np.testing.assert_allclose(mine[path], params, rtol=1e-4, atol=1e-6)


def test_kills_cost_a_round_and_nothing_more(deploy, app, tmp_path):
    """With TLS and registered keys: a SuperNode and the ServerApp are killed midway, and the run goes on."""
    from deployment import until

    here, out = deploy(nodes=8, tls=True), tmp_path / "run"
    until_round = lambda n: until(  # noqa: E731
        lambda: (out / "events.jsonl").exists() and len(events(out, "round")) >= n, 900, f"round {n}"
    )
    first = here.begin(app, out=str(out))
    until_round(4)
    here.kill_node(3)
    until_round(7)
    here.kill_server_app()
    done = here.finish(first, 180)
    assert done.status == "finished:failed"
    before = events(out, "round")
    here.start_nodes(3)
    again = here.run(app, 1500, out=str(out))
    assert again.code == 0, here.told()
    after = events(out, "round")
    assert after[: len(before) - 2] == before[: len(before) - 2]  # what was learned is kept
    failures = events(out, "failure")
    assert {f["client"] for f in failures} <= {3}
    assert summary(out)["cohorts"] == 2
    assert any(3 in e["clients"] for e in after[len(before) :])  # it is back, under its own number
    records = [len(list((here.home / f"state-{i}").glob("affinity-*"))) for i in range(8)]
    assert records == [1] * 8
