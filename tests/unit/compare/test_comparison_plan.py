"""Which experiments a comparison consists of, what is refused before anything starts, and its file."""

import dataclasses
import json
import shlex

import pytest

from horae.compare import plan as plans
from horae.compare.vary import parse_seeds, parse_vary
from horae.errors import ConfigError, DataError, RunError
from horae.experiment import load

TWO = {"clustering.name": ["single", "auxo"]}


def make(vary=TWO, settings=None, seeds=(0, 1), source=None, against=None):
    return plans.make(source, settings or {}, dict(vary), list(seeds), (), plans.Wish(against))


def test_every_run_is_the_base_with_its_own_values_and_seed():
    plan = make({**TWO, "participants": [10, 20]}, {"training.lr": 0.5}, seeds=[3])
    experiment = plan.experiment(plan.arms[2], 3)
    assert plan.arms[2].name == "auxo, participants=10"
    assert (experiment.clustered, experiment.participants, experiment.seed) == ("auxo", 10, 3)
    assert (experiment.baseline, experiment.training.lr) == ("none", 0.5)
    assert experiment.budget.participations == 6000  # the demo's: the budget stays where participants are varied
    assert plan.against == "single, participants=10"


def test_settings_of_a_varied_member_reach_it():
    # gamma is auxo's: the file's single has none, and the base cannot have it either
    table = load(None, {"clustering.name": "single"}).table()
    plan = make({"clustering.name": ["auxo"]}, {"clustering.gamma": 0.7, "training.lr": 0.5}, source=table)
    assert plan.settings == {"clustering.gamma": 0.7}
    assert plan.base["training"]["lr"] == 0.5
    assert plan.experiment(plan.arms[0], 0).parts["clustering"].gamma == 0.7


def test_the_budget_can_be_varied():
    plan = make({"budget.participations": [100, 200]})
    assert [plan.experiment(arm, 0).budget.participations for arm in plan.arms] == [100, 200]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"settings": {"clustering.name": "auxo"}}, "--set clustering.name should be another field than those varied"),
        ({"settings": {"seed": 3}}, "--set seed should be another field, got 'seed'; give the seeds with --seeds"),
        ({"settings": {"training.lrr": 3}}, "training has no 'lrr'; did you mean 'lr'?"),
        ({"source": "none.toml"}, "there is no experiment file 'none.toml'"),
        ({"against": "oracle"}, "--against: there is no arm 'oracle'; known: auxo, single"),
        ({"vary": {"seed.x": [0] * 101}, "seeds": range(100)}, "--vary and --seeds should make 10,000 runs at most"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(changes, message):
    with pytest.raises(ConfigError) as error:
        make(**changes)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("vary", "message"),
    [
        (["clustering=single,auxoo"], "arm auxoo: clustering.name: there is no 'auxoo'; did you mean 'auxo'?"),
        (["clustring.gamma=1"], "arm gamma=1: the experiment has no 'clustring'; did you mean 'clustering'?"),
        (["clustering.gamma=0.1,2"], "arm gamma=2: clustering.gamma should be in (0, 1], got 2.0"),
        (["clustering=single,auxo", "clustering.gamma=0.1"], "arm single, gamma=0.1: clustering 'single' has no 'gamm"),
        (["participants=10,500"], "arm participants=500: participants should be <= 200 clients, got 500; lower"),
        (["training.lr=1,1.0"], "the arms lr=1 and lr=1.0 are one and the same experiment; leave one out"),
    ],
)
def test_every_arm_is_looked_at_before_anything_starts(vary, message):
    with pytest.raises(ConfigError) as error:
        plans.check(make(parse_vary(vary)))
    assert str(error.value).startswith(message)


def test_missing_data_are_found_before_anything_starts(tmp_path):
    plan = make({"population.name": ["digits-iid", "mnist-writers"]}).told(None, tmp_path)
    with pytest.raises(DataError, match=r"^arm mnist-writers: .*mnist_writers.npz"):
        plans.check(plan)


def test_the_plan_is_read_back(tmp_path):
    plan = make({**TWO, "population.degrees": [[0, 90], [0]]}, {"clustering.pull": 0.5}, against="auxo, degrees=[0]")
    plans.write(plan, tmp_path)
    assert plans.read(tmp_path) == plan
    table = json.loads((tmp_path / "comparison.json").read_text())
    assert [arm["name"] for arm in table["arms"]][:2] == ["single, degrees=[0, 90]", "single, degrees=[0]"]
    assert table["seeds"] == [0, 1]


def test_the_command_makes_the_same_plan():
    plan = make({**TWO, "name": ["a, b", "c"]}, {"clustering.pull": 0.5}, against="single, name=c")
    horae, compare, base, *options = shlex.split(plan.command())
    assert (horae, compare, base) == ("horae", "compare", "base.toml")
    said = list(zip(options[::2], options[1::2], strict=True))
    assert parse_vary([words for option, words in said if option == "--vary"]) == plan.vary
    assert ("--set", "clustering.pull=0.5") in said
    assert parse_seeds(dict(said)["--seeds"]) == plan.seeds
    assert dict(said)["--against"] == "single, name=c"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"base": 3}', '{"base": {}, "settings": {}, "vary": {}}'])
def test_a_broken_plan_is_refused_in_one_line(text, tmp_path):
    (tmp_path / "comparison.json").write_text(text)
    with pytest.raises(RunError, match=r"^cannot read .*comparison.json: .*; was it changed by hand\?$"):
        plans.read(tmp_path)
    with pytest.raises(RunError, match="there is no comparison in "):
        plans.read(tmp_path / "elsewhere")


def test_going_on_with_something_else_is_refused_by_the_first_difference(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("participants = 12\n[budget]\nparticipations = 60\n")
    plan = make({**TWO, "training.lr": [1, 2]}, {"clustering.pull": 0.5, "training.steps": 2}, source=file)
    plans.same(plan, None, {}, {}, [])
    plans.same(plan, file, {"training.steps": 2}, plan.vary, [0, 1])
    plans.same(plan, None, {"training.steps": 2, "clustering.pull": 0.5}, {}, [])

    def refused(source=None, settings=None, vary=None, seeds=()):
        with pytest.raises(ConfigError) as error:
            plans.same(plan, source, settings or {}, vary or {}, list(seeds))
        return str(error.value)

    assert refused(seeds=[0]).startswith("--seeds should be [0, 1] as when this comparison began, got [0]; start anew")
    assert refused(vary={**TWO, "training.lr": [1, 3]}).startswith("training.lr should be [1, 2] as when")
    assert refused(vary={"training.lr": [1, 2]}).startswith("clustering.name should be ['single', 'auxo'] as when")
    assert refused(settings={"participants": 13}).startswith("participants should be 12 as when")
    assert refused(settings={"clustering.pull": 0.25}).startswith("clustering.pull should be 0.5 as when")
    assert refused(source=file).startswith("training.steps should be 2 as when")


def test_another_arm_to_compare_with_is_no_other_comparison(tmp_path):
    told = make().told("auxo", tmp_path)
    assert (told.against, told.data_root) == ("auxo", str(tmp_path))
    assert told.told(None, None) == told


def test_all_the_clients_there_are_is_no_number_to_compare_with(tmp_path):
    # hapt's clients = 0 stands for its thirty people: whether 20 participants are too many is seen when they are read
    (tmp_path / "hapt_windows.npz").write_bytes(b"")
    plan = make({"clustering.name": ["single", "auxo"]}, {"population.name": "hapt", "participants": 20})
    plans.check(dataclasses.replace(plan, data_root=str(tmp_path)))
