"""Whole runs on executors: `[site]` and `--executor`, the same model wherever it is trained, failures in the log."""

import json
from importlib.util import find_spec

import numpy as np
import pytest
from typer.testing import CliRunner

import horae
from horae.cli import app
from horae.endpoint import built, recipe_of
from horae.errors import ConfigError, RunError
from horae.experiment import load
from horae.population import Population
from horae.report.schema import fault_of_event

SMALL = {
    "name": "sited", "participants": 4, "overcommit": 1.0, "baseline": "none", "budget": {"participations": 12},
    "clustering": {"name": "single"}, "evaluation": {"every": 2, "clients": 40},
    "population": {"name": "digits-rotated", "clients": 40},
}  # fmt: skip


def run(out, source=SMALL, **more):
    return horae.run(source, out=out, **more)


def events(result, kind):
    lines = (result.directory / "events.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    assert all(fault_of_event(event) is None for event in found)
    return [event for event in found if event["event"] == kind]


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    return run(tmp_path_factory.mktemp("runs") / "simulated", source={**SMALL, "availability": {"name": "always"}})


@pytest.mark.parametrize(
    ("executor", "plane"), [("inline", "inline"), ("inline", "shm"), ("thread", "inline"), ("thread", "shm")]
)
def test_the_model_is_the_simulations_to_the_bit(executor, plane, simulated, tmp_path):
    """Four clients invited, four kept: the same in both worlds. Sums of four rows, one after the other, are BLAS's."""
    result = run(tmp_path / "run", executor=executor, workers=2, data_plane=plane)
    np.testing.assert_allclose(result.models[()], simulated.models[()], rtol=1e-6, atol=1e-9)
    again = run(tmp_path / "again", executor="inline")
    assert (result.models[()] == again.models[()]).all()
    assert (result.participations, result.flops) == (simulated.participations, simulated.flops)
    assert events(result, "run")[0]["site"]["executor"] == executor
    assert not events(result, "failure") and (result.directory / "report.html").exists()


def test_what_an_endpoint_makes_of_the_text_is_the_controllers_world():
    experiment = load(SMALL)
    recipe = recipe_of(experiment, None)
    plan, world = built(recipe.text)
    here = experiment.world()
    assert plan == experiment.plan() and recipe.build == "horae.endpoint:built"
    assert (world.population.x == here.population.x).all()
    assert (world.trainer.initial_params == here.trainer.initial_params).all()
    clients = np.arange(40)
    mine, theirs = (w.population.train_at(clients, 0.0) for w in (world, here))
    assert all((a == b).all() for a, b in zip(mine, theirs, strict=True))


@pytest.mark.slow
def test_processes_compute_the_same(simulated, tmp_path):
    result = run(tmp_path / "run", executor="process", workers=1, data_plane="shm")
    again = run(tmp_path / "again", executor="inline")
    assert (result.models[()] == again.models[()]).all() and result.rounds == 3


@pytest.mark.parametrize("executor", ["parsl", "ray", "globus-emulated"])
@pytest.mark.slow
def test_executors_that_are_installed_compute_the_same(executor, tmp_path):
    if find_spec({"globus-emulated": "globus_compute_endpoint"}.get(executor, executor)) is None:
        pytest.skip(f"{executor} is not installed")
    result = run(tmp_path / "run", executor=executor, workers=2, data_plane="shm")
    again = run(tmp_path / "again", executor="inline")
    assert (result.models[()] == again.models[()]).all()


def test_cohorts_split_by_the_sketches_that_endpoints_send(tmp_path):
    table = {
        **SMALL, "participants": 24, "budget": {"participations": 24 * 25}, "overcommit": 1.25,
        "population": {"name": "digits-rotated"}, "clustering": {"name": "auxo"}, "evaluation": {"every": 20},
    }  # fmt: skip
    result = run(tmp_path / "run", source=table, executor="inline", data_plane="shm")
    assert result.cohorts >= 2 and result.adjusted_rand_index > 0.5
    assert events(result, "verdict")


def test_a_site_in_the_file_is_written_out_and_may_be_overridden(tmp_path):
    table = {**SMALL, "site": {"executor": "thread", "workers": 3, "timeout_s": 30.0}}
    assert load(load(table).table()).site == load(table).site
    assert "site" not in load(SMALL).table()
    assert load(SMALL).with_objects({"site": load(table).site}).site.workers == 3
    result = run(tmp_path / "run", source=table, executor="inline")
    site = load(result.directory / "experiment.toml").site
    assert (site.executor, site.workers, site.timeout_s) == ("inline", 3, 30.0)


def test_a_run_that_was_stopped_goes_on(tmp_path):
    whole = run(tmp_path / "whole", executor="inline")
    asked = iter([False, True])
    with pytest.raises(horae.errors.Stopped):
        run(tmp_path / "cut", executor="inline", stop=lambda: next(asked, True))
    result = horae.run(resume=tmp_path / "cut")
    assert (result.models[()] == whole.models[()]).all() and result.participations == 12


def population():
    rng = np.random.default_rng(0)
    return Population.from_arrays([(rng.normal(size=(9, 4)), rng.integers(0, 2, 9)) for _ in range(8)])


def test_what_is_given_from_python_stays_in_this_process(tmp_path):
    table = {key: value for key, value in SMALL.items() if key != "population"}
    result = run(tmp_path / "run", source=table, population=population(), executor="thread", workers=2)
    assert result.participations == 12
    with pytest.raises(ConfigError, match=r"site\.executor should be inline or thread for what is given from Python"):
        run(tmp_path / "not", source=table, population=population(), executor="process")
    assert not (tmp_path / "not").exists()


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"site": {"executor": "thred"}}, "site.executor should be one of inline.*did you mean 'thread'"),
        ({"site": {"executor": "inline", "worker": 2}}, "site has no 'worker'; did you mean 'workers'"),
        ({"site": {"executor": "inline"}, "algorithm": {"name": "scaffold"}}, "algorithm should .*, got 'scaffold'"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(table, words, tmp_path):
    with pytest.raises(ConfigError, match=words) as raised:
        run(tmp_path / "run", source={**SMALL, **table})
    assert "\n" not in str(raised.value) and not (tmp_path / "run").exists()


def breaking(workers):
    """An executor whose every third task is lost."""
    from concurrent.futures import Executor, Future

    class Breaking(Executor):
        begun = 0

        def submit(self, fn, task):
            Breaking.begun += 1
            future = Future()
            if Breaking.begun % 3 == 0:
                future.set_exception(OSError("the line is down"))
            else:
                future.set_result(fn(task))
            return future

    return Breaking()


def nobody(workers):
    """An executor that loses everything."""
    from concurrent.futures import Executor, Future

    class Nobody(Executor):
        def submit(self, fn, task):
            future = Future()
            future.set_exception(OSError("the line is down"))
            return future

    return Nobody()


def test_failures_are_in_the_log_by_client(tmp_path):
    table = {**SMALL, "site": {"executor": "test_executor_runs:breaking", "attempts": 1}}
    result = run(tmp_path / "run", source=table)
    found = events(result, "failure")
    assert found and {(f["kind"], f["why"]) for f in found} == {("OSError", "the line is down")}
    assert all(f["client"] not in r["clients"] for f in found for r in events(result, "round")
               if r["number"] == f["number"])  # fmt: skip
    assert sum(r["dropouts"] for r in events(result, "round")) == len(found)


def test_an_executor_that_loses_everything_ends_the_run_with_one_line(tmp_path):
    table = {**SMALL, "site": {"executor": "test_executor_runs:nobody"}}
    with pytest.raises(RunError, match=r"nobody could train in 3 rounds in a row \(client \d+: OSError: the line") as e:
        run(tmp_path / "run", source=table)
    assert "\n" not in str(e.value)


def test_the_command_line_names_the_executor(tmp_path):
    file = tmp_path / "small.toml"
    from horae.settings import dumps

    file.write_text(dumps(SMALL))
    words = ["run", str(file), "--executor", "thread", "--workers", "2", "--out", str(tmp_path / "run"), "--json"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    site = load(tmp_path / "run" / "experiment.toml").site
    assert (site.executor, site.workers) == ("thread", 2)
