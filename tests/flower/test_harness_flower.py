"""The harness, tried with plain federated averaging: what is started runs, answers, comes back, and ends."""

import json

import pytest

pytestmark = pytest.mark.flower


def told(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.parametrize("quick", [False, True], ids=["as-it-comes", "quick"])
def test_two_rounds_on_two_nodes(deploy, plainapp, tmp_path, quick):
    here, out = deploy(nodes=2, quick=quick), tmp_path / "out.jsonl"
    run = here.run(plainapp, out=str(out))
    assert run.code == 0, here.told()
    rounds = told(out)
    # client k adds k, so the mean of clients 0 and 1 grows by 0.5 a round
    assert [one["mean"] for one in rounds] == [0.5, 1.0], run.log
    assert [sorted(one["nodes"].values()) for one in rounds] == [[0, 1], [0, 1]]
    assert {here.node_ids(i)[-1] for i in range(2)} == set(rounds[0]["nodes"])
    assert rounds[0]["sees"] == [[1, 1]]  # torch and horae, in the ClientApp's process
    assert [set(one["calls"].values()) for one in rounds] == [{1}, {2}]  # context.state lasts through a run
    assert run.status.startswith("finished:completed")
    assert {node["status"] for node in here.nodes_told()} == {"online"}


@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
def test_tls_keys_and_an_identity_that_outlives_the_node(deploy, plainapp, tmp_path, kill):
    here, out = deploy(nodes=2, tls=True), tmp_path / "out.jsonl"
    before = {i: here.node_ids(i)[-1] for i in range(2)}
    assert here.run(plainapp, out=str(out), rounds=1).code == 0, here.told()
    here.restart_node(1, kill)
    assert {i: here.node_ids(i)[-1] for i in range(2)} == before
    assert len(here.node_ids(1)) == 2
    assert here.run(plainapp, out=str(out), rounds=1).code == 0, here.told()
    first, second = told(out)
    assert first["nodes"] == second["nodes"] == {before[0]: 0, before[1]: 1}


def test_without_keys_a_restarted_node_is_another(deploy):
    here = deploy(nodes=1)
    here.restart_node(0)
    first, second = here.node_ids(0)
    assert first != second


def test_nodes_come_back_to_a_superlink_that_was_killed(deploy, plainapp, tmp_path):
    here, out = deploy(nodes=2, tls=True), tmp_path / "out.jsonl"
    here.kill_superlink()
    here.start_superlink()
    assert here.run(plainapp, out=str(out), rounds=1).code == 0, here.told()
    assert sorted(told(out)[0]["nodes"].values()) == [0, 1]


def test_a_killed_server_app_fails_its_run_alone(deploy, plainapp, tmp_path):
    from deployment import until

    here, out = deploy(nodes=1), tmp_path / "out.jsonl"
    run = here.begin(plainapp, out=str(out), nodes=1, rounds=1000)
    until(out.exists, 60, "the first round")
    here.kill_server_app()
    done = here.finish(run, 180)  # Flower waits for missed heartbeats
    assert done.status == "finished:failed", here.told(run)
    assert here.run(plainapp, out=str(tmp_path / "again.jsonl"), nodes=1, rounds=1).code == 0, here.told()


def test_close_leaves_nothing(deploy, plainapp, tmp_path, warm):
    from deployment import members

    for quick in (True, False):
        here = deploy(nodes=1, quick=quick)
        run = here.begin(plainapp, out=str(tmp_path / "out.jsonl"), nodes=1, pause=60.0)
        here.kill_server_app()
        marks = [one.mark for one in (here.superlink, here.supernodes[0], run)]
        assert [len(members(mark, here.warm)) >= 2 for mark in marks[:2]] == [True, True]  # with their SuperExecs
        here.close()
        assert [members(mark, warm) for mark in marks] == [{}, {}, {}]
