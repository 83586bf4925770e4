"""`--arms FILE`: named arms with settings of their own, alone and with varied fields."""

import json
import shlex
import tomllib

import pytest

from horae.compare import plan as plans
from horae.compare.arms import Named, arms_of, arms_table, read_arms
from horae.compare.vary import parse_vary
from horae.errors import ConfigError, RunError
from horae.settings import dumps

TEXT = """
[[arm]]
name = "one model"
set = { clustering = "single", training.lr = 0.5 }

[[arm]]
name = "auxo"
set = { "clustering.name" = "auxo", clustering.gamma = 0.5 }
tune = { "clustering.pull" = [0.25, 0.5], clustering.epsilon = [0.1] }
"""


def read(tmp_path, text=TEXT):
    file = tmp_path / "mine.toml"
    file.write_text(text)
    return read_arms(file)


def test_dotted_and_nested_fields_are_the_same(tmp_path):
    assert read(tmp_path) == [
        Named("one model", {"clustering.name": "single", "training.lr": 0.5}, {}),
        Named(
            "auxo",
            {"clustering.name": "auxo", "clustering.gamma": 0.5},
            {"clustering.pull": [0.25, 0.5], "clustering.epsilon": [0.1]},
        ),
    ]


def test_arms_are_written_as_they_are_read(tmp_path):
    named = read(tmp_path)
    assert read(tmp_path, dumps(arms_table(named))) == named
    assert read_arms(tomllib.loads(TEXT)["arm"]) == named
    assert read_arms(None) == []


def test_every_named_arm_meets_every_choice(tmp_path):
    arms = arms_of(parse_vary(["algorithm=fedavg,fedyogi"]), read(tmp_path))
    assert [arm.name for arm in arms] == ["one model, fedavg", "one model, fedyogi", "auxo, fedavg", "auxo, fedyogi"]
    assert arms[1].directory == "onemodel,fedyogi"
    assert arms[1].changes == {"clustering.name": "single", "training.lr": 0.5, "algorithm.name": "fedyogi"}
    assert arms[2].tune == arms[3].tune == {"clustering.pull": [0.25, 0.5], "clustering.epsilon": [0.1]}
    assert [arm.name for arm in arms_of({}, read(tmp_path))] == ["one model", "auxo"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "--arms should have one arm at least, got []"),
        (
            "[arm]\nname = 'a'",
            "--arms should have a table for each arm ([[arm]]), got {'name': 'a'}; write [[arm]], not",
        ),
        ("arm = [3]", "--arms should have a table for each arm ([[arm]]), got 3"),
        ("x = 1", "--arms should hold tables [[arm]] and nothing else, got 'x'"),
        ("[[arm]]", "--arms should give every arm a name of 1 to 80 letters, got None"),
        ("[[arm]]\nname = ' a'", "--arms should give every arm a name of 1 to 80 letters, got ' a'"),
        ("[[arm]]\nname = 'a'\n[[arm]]\nname = 'a'", "--arms should have different names, got 'a'"),
        ("[[arm]]\nname = 'a'\nsett = {}", "arm a: there is no 'sett'; did you mean 'set'?"),
        ("[[arm]]\nname = 'a'\nset = 3", "arm a: set should be a table, got 3; write set = { ... }"),
        ("[[arm]]\nname = 'a'\nset = { seed = 3 }", "arm a: set should name another field, got 'seed'; give the seeds"),
        ("[[arm]]\nname = 'a'\nset = { model = 'a', model.name = 'b' }", "--arms: "),
        ("[[arm]]\nname = 'a'\ntune = { x = [] }", "arm a: tune x should be a list of values, got []"),
        ("[[arm]]\nname = 'a'\ntune = { x = 3 }", "arm a: tune x should be a list of values, got 3"),
        ("[[arm]]\nname = 'a'\ntune = { x = [1, 1] }", "arm a: tune x should have different values, got '1'"),
        ("=", "--arms: "),
    ],
)
def test_what_is_no_file_of_arms_is_refused_in_one_line(text, message, tmp_path):
    with pytest.raises(ConfigError) as error:
        read(tmp_path, text)
    assert str(error.value).startswith(message)
    assert str(error.value).isprintable()


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ConfigError, match=r"^--arms: cannot read .*: Is a directory; is it the file of arms"):
        read_arms(tmp_path)


def make(named, vary=(), settings=None, **wish):
    vary, wish = parse_vary(vary), plans.Wish(**wish)
    return plans.make(None, settings or {}, vary, [0, 1], [Named(*arm) for arm in named], wish)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vary": ["clustering=auxo"]}, "arm a should change other fields than those varied, got 'clustering.name'"),
        ({"settings": {"training.lr": 1.0}}, "arm a should change other fields than --set, got 'training.lr'"),
        ({"against": "b"}, "--against: there is no arm 'b'; known: a"),
        ({"target": 1.5}, "--target should be in (0, 1], a share of the samples, got 1.5"),
    ],
)
def test_a_field_is_said_once(options, message):
    with pytest.raises(ConfigError) as error:
        make([("a", {"clustering.name": "single", "training.lr": 0.5}, {})], **options)
    assert str(error.value).startswith(message)


def test_an_unknown_field_of_an_arm_is_refused_by_name():
    plan = make([("a", {"clustering.gama": 0.5}, {})])
    with pytest.raises(ConfigError, match=r"^arm a: clustering 'auxo' has no 'gama'; did you mean 'gamma'"):
        plans.check(plan)


def test_the_plan_is_read_back_and_its_command_makes_it_again(tmp_path):
    named = [("a b", {"clustering.name": "single"}, {}), ("c", {}, {})]
    plan = make(named, ["participants=10,20"], {"clustering.pull": 0.5}, against="c, participants=10", target=0.9)
    plans.write(plan, tmp_path)
    assert plans.read(tmp_path) == plan
    words = shlex.split(plan.command())
    assert words[2:5] == ["base.toml", "--arms", "arms.toml"]
    assert words[words.index("--target") + 1] == "0.9"
    assert read_arms(tmp_path / "arms.toml") == plan.named
    assert plan.settings == {"clustering.pull": 0.5}  # of a member that an arm changes
    plans.same(plan, None, {}, {}, [], plan.named)
    with pytest.raises(
        ConfigError, match=r"^--arms c.changes.participants_later should be None as when this comparison"
    ):
        plans.same(plan, None, {}, {}, [], [plan.named[0], Named("c", {"participants_later": 3}, {})])


def test_a_comparison_from_before_arms_and_targets_is_still_read(tmp_path):
    plan = plans.make(None, {}, {"clustering.name": ["single", "auxo"]}, [0])
    plans.write(plan, tmp_path)
    text = (tmp_path / "comparison.json").read_text()
    table = {key: value for key, value in json.loads(text).items() if key not in ("named", "tuning", "target")}
    (tmp_path / "comparison.json").write_text(json.dumps(table))
    assert plans.read(tmp_path) == plan
    (tmp_path / "comparison.json").write_text(json.dumps({**table, "named": [3]}))
    with pytest.raises(RunError, match="was it changed by hand"):
        plans.read(tmp_path)


@pytest.mark.parametrize(
    ("vary", "found"),
    [
        (["clustering=single,auxo", "algorithm=fedavg,fedyogi"], [("fedavg", "single"), ("fedyogi", "single"),
                                                                  ("fedavg", "auxo"), ("fedyogi", "auxo")]),
        (["algorithm=fedyogi", "algorithm.lr=0.1,0.2"], [("fedyogi", 0.1), ("fedyogi", 0.2)]),
    ],
)  # fmt: skip
def test_members_and_their_fields_are_varied_together(vary, found):
    plan = make([], vary)
    plans.check(plan)
    experiments = [plan.experiment(arm, 0).table() for arm in plan.arms]
    second = ["clustering", "name"] if "clustering" in vary[0] else ["algorithm", "lr"]
    assert [(e["algorithm"]["name"], e[second[0]][second[1]]) for e in experiments] == found


def test_fields_of_fields_are_varied():
    images = {"population.name": "fashion-mnist", "population.partition": {"name": "dirichlet", "alpha": 3.0}}
    plan = make([], ["population.partition.alpha=0.1,0.5"], images)
    experiments = [plan.experiment(arm, 0).table() for arm in plan.arms]
    assert [e["population"]["partition"]["alpha"] for e in experiments] == [0.1, 0.5]
    plan = make([], ["population.partition.name=iid,dirichlet", "aggregation=mean"], images)
    experiments = [plan.experiment(arm, 0).table() for arm in plan.arms]
    assert [e["population"]["partition"]["name"] for e in experiments] == ["iid", "dirichlet"]
    assert plan.arms[0].name == "iid, mean"
