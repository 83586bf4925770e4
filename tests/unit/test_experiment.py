"""The experiment file: what it holds, what it refuses, and in which words."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from horae.clustering import Auxo, Single
from horae.errors import ConfigError, HoraeError
from horae.experiment import DEFAULTS, FAMILIES, NUMBERS, TABLES, Experiment, load
from horae.federate import Budget
from horae.population import AlwaysOnline, DigitsIid, DigitsRotated
from horae.settings import dumps, parse_setting
from horae.training import Training

# ---------------------------------------------------------------- there and back

FULL = {
    "name": "mine",
    "seed": 7,
    "participants": 12,
    "overcommit": 1.5,
    "deadline_s": 60.0,
    "baseline": "none",
    "budget": {"bytes": 10**9},
    "population": {"name": "digits-rotated", "clients": 40, "degrees": [0.0, 45.0], "group_sizes": [10, 30]},
    "model": {"name": "mlp", "hidden": [8, 4]},
    "training": {"optimizer": "adam", "lr": 0.001, "epochs": 2},
    "clustering": {"name": "auxo", "gamma": 0.5, "reward": "paper"},
    "channels": [{"name": "plain"}, {"name": "plain"}],
    "trackers": [{"name": "csv", "directory": "told"}, {"name": "csv"}],
    "evaluation": {"target_accuracy": 0.9},
    "engine": {"retry_s": 5.0},
}


@pytest.mark.parametrize("source", [None, FULL, {}], ids=["demo", "full", "empty"])
def test_an_experiment_survives_being_written_and_read(source):
    made = load(source)
    again = load(tomllib.loads(dumps(made.table())))
    assert again == made
    assert again.table() == made.table()


def test_a_table_says_everything_and_hides_the_limits_that_are_not_set():
    table = load(FULL).table()
    assert set(table) == {*NUMBERS, *TABLES, *FAMILIES}
    assert table["budget"] == {"bytes": 10**9}
    assert table["clustering"]["epsilon"] == 0.9  # a default, resolved
    assert table["channels"] == [{"name": "plain"}] * 2
    assert table["trackers"] == [{"name": "csv", "directory": where, "run": ""} for where in ("told", "")]


def test_a_file_is_read_like_a_table(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(dumps(FULL))
    assert load(file) == load(str(file)) == load(FULL)


@given(st.text(st.characters(codec="utf-8")))
def test_any_text_survives_being_written(text):
    assert tomllib.loads(dumps({"a": text, "t": {"b": [text]}})) == {"a": text, "t": {"b": [text]}}


def test_odd_values_survive_being_written():
    table = {
        "yes": True,
        "n": -3,
        "x": 1e-9,
        "t": {"quote": 'a "b" \\ c', "lines": "a\nb", "list": [1, 2], "no": False},
    }
    assert tomllib.loads(dumps(table)) == table


# ---------------------------------------------------------------- defaults


def test_an_empty_table_is_every_default():
    made = load({})
    assert made.names() == DEFAULTS
    assert (made.seed, made.participants, made.baseline) == (0, 30, "single")
    assert made.budget == Budget(participations=6000)  # 200 rounds
    assert made.parts["channels"] == ()
    assert load({"participants": 7}).budget == Budget(participations=1400)


def test_the_demo_is_what_nothing_means():
    assert load(None) == load("demo")
    demo = load(None)
    assert demo.name == "digits-rotated"
    assert demo.parts["population"] == DigitsRotated(clients=200)
    assert demo.parts["clustering"] == Auxo()


# ---------------------------------------------------------------- changes


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("clustering.gamma=0.3", ("clustering.gamma", 0.3)),
        ("seed=4", ("seed", 4)),
        ("clustering.name=single", ("clustering.name", "single")),
        ('clustering.name="single"', ("clustering.name", "single")),
        ("population.degrees=[0, 90.5]", ("population.degrees", [0, 90.5])),
        ("x.y=true", ("x.y", True)),
        ("x.y=True", ("x.y", "True")),  # no TOML: a text
        (" a = b=c ", ("a", "b=c")),
        ("a=", ("a", "")),
        ("budget.participations=6_000", ("budget.participations", 6000)),
        ("x = 1e3", ("x", 1000.0)),
    ],
)
def test_a_setting_is_read(text, pair):
    key, value = parse_setting(text)
    assert (key, value, type(value)) == (*pair, type(pair[1]))


@pytest.mark.parametrize("text", ["gamma", "", "=3", "  =3"])
def test_a_setting_without_key_or_value_is_refused(text):
    with pytest.raises(ConfigError, match=r"--set should look like family\.field=value"):
        parse_setting(text)


def test_changes_reach_numbers_tables_and_parts():
    made = load(None, {"seed": 5, "training.lr": 1, "clustering.gamma": 0.3, "population.degrees": [0, 90]})
    assert (made.seed, made.training.lr, made.parts["clustering"].gamma) == (5, 1.0, 0.3)
    assert isinstance(made.training.lr, float)
    assert made.parts["population"].degrees == (0.0, 90.0)
    assert load(None).seed == 0  # the demo itself did not change


def test_a_new_name_drops_the_fields_of_the_old_one():
    made = load(FULL, {"population.name": "digits-iid"})
    assert made.parts["population"] == DigitsIid()  # not 40 clients, and no complaint about degrees
    same = load(FULL, {"population.name": "digits-rotated"})
    assert same.parts["population"].clients == 40


def test_a_new_name_comes_before_its_fields_whatever_their_order():
    made = load(FULL, {"population.alpha": 0.1, "population.name": "digits-dirichlet", "population.clients": 9})
    assert (made.parts["population"].alpha, made.parts["population"].clients) == (0.1, 9)


def test_objects_take_the_place_of_parts():
    made = load({}).with_objects({"clustering": Single(), "training": Training(lr=0.5)})
    assert (made.clustered, made.training.lr) == ("single", 0.5)
    with pytest.raises(ConfigError, match="the experiment has no 'clusterin'; did you mean 'clustering'"):
        load({}).with_objects({"clusterin": Single()})


def test_the_rival_differs_in_its_clustering_alone():
    made = load(FULL)
    rival = made.with_clustering("single")
    assert (rival.clustered, rival.baseline) == ("single", "none")
    mine, other = made.table(), rival.table()
    assert {key for key in mine if mine[key] != other[key]} == {"clustering"}  # FULL has no baseline either


def test_somebody_elses_component_is_found_by_module_and_class():
    made = load({"availability": {"name": "horae.population.availability:AlwaysOnline"}})
    assert made.parts["availability"] == AlwaysOnline()


def test_the_plan_carries_the_loops_numbers():
    plan = load(FULL).plan()
    assert (plan.seed, plan.participants, plan.overcommit, plan.deadline_s) == (7, 12, 1.5, 60.0)
    assert plan.budget == Budget(bytes=10**9)
    assert not plan.linear_lr
    assert load({"training": {"lr_scaling": "linear"}}).plan().linear_lr
    assert len(plan.channels) == 2


def test_what_was_handed_over_from_python_cannot_be_made_again_from_a_file():
    given = load({"model": {"name": "horae.experiment:Given", "what": "Linear given from Python"}})
    with pytest.raises(ConfigError, match="Linear given from Python; it is in no file: hand it over again"):
        given.world()


def test_two_plans_do_not_share_a_data_plane():
    made = load({})
    assert made.plan().data_plane is not made.plan().data_plane


# ---------------------------------------------------------------- refusals: field, value, remedy


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"clusterin": {}}, "the experiment has no 'clusterin'; did you mean 'clustering'?"),
        ({"zzz": 1}, "the experiment has no 'zzz'; known: aggregation, algorithm, "),
        ({"clustering": {"gama": 0.3}}, "clustering 'auxo' has no 'gama'; did you mean 'gamma'?"),
        ({"training": {"learning_rate": 1}}, "training has no 'learning_rate'; known: batch, chunk, "),
        ({"clustering": {"name": "auxoo"}}, "clustering.name: there is no 'auxoo'; did you mean 'auxo'?"),
        ({"clustering": {"name": 3}}, "clustering.name should be a word, got 3"),
        ({"clustering": {"gamma": "high"}}, "clustering.gamma should be a number, got 'high'"),
        ({"clustering": {"gamma": True}}, "clustering.gamma should be a number, got True"),
        ({"clustering": {"gamma": float("nan")}}, "clustering.gamma should be a finite number, got nan"),
        ({"clustering": {"gamma": 2.0}}, "clustering.gamma should be in (0, 1], got 2.0"),
        ({"clustering": {"k_max": 2.5}}, "clustering.k_max should be a whole number, got 2.5"),
        ({"clustering": {"reward": "mine"}}, "clustering.reward should be one of 'measured', 'paper', got 'mine'"),
        ({"clustering": 3}, "clustering should be a table ([clustering]), got 3"),
        ({"population": {"degrees": 90}}, "population.degrees should be a list, got 90"),
        ({"population": {"degrees": ["a"]}}, "population.degrees should be a number, got 'a'"),
        ({"channels": {"name": "plain"}}, "channels should be a list of tables ([[channels]]), got {'name': 'plain'}"),
        ({"seed": "one"}, "seed should be a whole number, got 'one'"),
        ({"seed": -1}, "seed should be >= 0, got -1"),
        ({"participants": 0}, "participants should be >= 1, got 0"),
        ({"overcommit": 0.9}, "overcommit should be >= 1, got 0.9"),
        ({"deadline_s": 0}, "deadline_s should be >= 1, got 0.0"),
        (
            {"name": "a/b"},
            "name should be fit for a directory: without slashes, unprintable letters, a leading dot, or",
        ),
        ({"name": ""}, "name should be fit for a directory: "),
        ({"baseline": "fedavg"}, "baseline should be one of none, single, oracle, auxo, "),
        ({"budget": {"participations": 5, "bytes": 5}}, "budget should name exactly one positive limit"),
        ({"budget": {}}, "budget should name exactly one positive limit: participations, simulated_s or bytes, got"),
        ({"budget": {"participations": -5}}, "budget should name exactly one positive limit"),
        ({"budget": {"participations": 5, "bytes": -5}}, "budget should name exactly one positive limit"),
        ({"evaluation": {"every": 0}}, "evaluation.every should be >= 1, got 0"),
        ({"evaluation": {"clients": -1}}, "evaluation.clients should be >= 0, got -1"),
        ({"evaluation": {"target_accuracy": 90.0}}, "evaluation.target_accuracy should be in [0, 1], got 90.0"),
        ({"engine": {"retry_s": 0}}, "engine.retry_s should be > 0, got 0.0"),
        ({"engine": {"check_in_s": -1}}, "engine.check_in_s should be >= 0, got -1.0"),
        ({"engine": {"look": 0}}, "engine.look should be >= 1, got 0"),
        ({"engine": {"min_clients": 0}}, "engine.min_clients should be >= 1, got 0"),
        ({"channels": [3]}, "channels should be a list of tables ([[channels]]), got [3]"),
        ({"model": {"name": ":"}}, "model.name: cannot import ':' ("),
        ({"model": {"name": ".x:y"}}, "model.name: cannot import '.x:y' ("),
        ({"model": {"name": "os:path"}}, "model.name should name a dataclass, got 'os:path'"),
        (
            {"model": {"name": "horae.training:MODELS"}},
            "model.name should name a dataclass, got 'horae.training:MODELS'",
        ),
        (
            {"model": {"name": "nowhere.at_all:Net"}},
            "model.name: cannot import 'nowhere.at_all:Net' (ModuleNotFoundError: No module named",
        ),
        (
            {"model": {"name": "horae.training:Nett"}},
            "model.name: cannot import 'horae.training:Nett' (AttributeError: module",
        ),
    ],
)
def test_a_mistake_is_named_in_one_line(table, message):
    with pytest.raises(ConfigError) as caught:
        load(table)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_change_of_what_is_no_table_is_refused():
    with pytest.raises(ConfigError, match="seed should be a table, got 0"):
        load(None, {"seed.x": 3})
    with pytest.raises(ConfigError, match="the experiment has no 'sed'; did you mean 'seed'"):
        load(None, {"sed": 3})


def test_a_missing_file_is_named_with_a_remedy(tmp_path):
    with pytest.raises(ConfigError, match=r"there is no experiment file '.*none\.toml'; check the path, or leave it"):
        load(tmp_path / "none.toml")


def test_what_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ConfigError, match="cannot read"):
        load(tmp_path)  # a folder
    (tmp_path / "latin").write_bytes(b'name = "\xe9"')
    with pytest.raises(ConfigError, match="cannot read"):
        load(tmp_path / "latin")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'name = "\xe9"', "it is no UTF-8 ('utf-8' codec can't decode byte 0xe9 in position 8"),
        ("seed = 3".encode("utf-16"), "it is no UTF-8"),
        (b"seed = 3\0", "' is not TOML: "),
        (b"seed = " + b"9" * 5000, "' is not TOML: Exceeds the limit"),
        (b"seed = " + b"[" * 5000, "' is not TOML: maximum recursion depth"),
        (b"seed = 1\nseed = 2", "' is not TOML: Cannot overwrite a value"),
        (b"seed = 0x" + b"f" * 5000, "seed should lie between -2^63 and 2^63, got a int that cannot be written"),
        (b"#" * 2**21, "' is longer than any experiment file, 1,048,576 bytes; check the path"),
        (b"training = 3", "training should be a table ([training]), got 3"),
        (b"[channels]\nname = 'plain'", "channels should be a list of tables ([[channels]]), got {'name': 'plain'}"),
        (b"seed = 1979-05-27", "seed should be a whole number, got datetime.date(1979, 5, 27)"),
    ],
)
def test_a_file_that_is_no_experiment_is_refused_in_one_line(data, message, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        load(file)
    words = str(caught.value)
    assert message in words
    assert words.isprintable()
    assert len(words) < 300


@pytest.mark.parametrize("data", [b"", b"\n", b"# nothing\n", b"\xef\xbb\xbfseed = 0\n"])
def test_an_empty_file_and_a_byte_order_mark_are_fine(data, tmp_path):
    (tmp_path / "mine.toml").write_bytes(data)
    assert load(tmp_path / "mine.toml") == load({})
    assert load("/dev/null") == load({})


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (".", "cannot read '.': Is a directory; is it the experiment file?"),
        ("/dev/zero", "'/dev/zero' is longer than any experiment file, 1,048,576 bytes; check the path"),
        ("x" * 5000, "cannot read 'xxx"),
        ("a\0b", "'a\\x00b' is not TOML: embedded null byte"),
        ("loop", "cannot read 'loop': Too many levels of symbolic links"),
        ("none/of/these.toml", "there is no experiment file 'none/of/these.toml'; check the path"),
    ],
)
def test_what_is_no_file_is_refused_in_one_line(path, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value).startswith(message)


def test_what_is_not_toml_is_named(tmp_path):
    (tmp_path / "bad.toml").write_text("seed = = 3")
    with pytest.raises(ConfigError, match=r"bad\.toml' is not TOML: "):
        load(tmp_path / "bad.toml")


def test_more_participants_than_clients_are_refused_with_a_remedy():
    crowded = load({"population": {"clients": 20}})
    message = r"participants should be <= 20 clients, got 30; lower participants or raise population\.clients"
    with pytest.raises(ConfigError, match=message):
        crowded.world()


# ---------------------------------------------------------------- anything at all

KEYS = st.sampled_from(
    [*NUMBERS, *TABLES, *FAMILIES, "name", "gamma", "clients", "lr", "bytes", "participations", "k_max", "degrees",
     "hidden", "optimizer", "reward", "every", "look", "zzz", ""]
)  # fmt: skip
LEAVES = st.one_of(
    st.booleans(), st.integers(), st.floats(), st.sampled_from(["auxo", "single", "digits-iid", "x:y", ":", "os:path",
    "plain", "adam", "a/b", "", "none"]), st.none(), st.lists(st.integers(-2, 9), max_size=3),
)  # fmt: skip
VALUES = st.recursive(
    LEAVES, lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(KEYS, inner)), max_leaves=6
)


@settings(max_examples=200)
@given(
    st.dictionaries(KEYS, VALUES, max_size=3),
    st.dictionaries(st.lists(KEYS, min_size=1, max_size=3).map(".".join), LEAVES, max_size=2),
)
def test_any_table_loads_or_is_refused_politely(table, changes):
    try:
        made = load(table, changes)
    except HoraeError as error:
        assert str(error)
    else:
        assert isinstance(made, Experiment)
        dumps(made.table())


@settings(max_examples=200)
@given(st.sampled_from([*TABLES, *FAMILIES]), st.dictionaries(KEYS, LEAVES, min_size=1, max_size=2))
def test_any_table_of_a_family_loads_or_is_refused_politely(family, fields):
    try:
        made = load({family: fields})
    except HoraeError as error:
        assert str(error)
    else:
        assert isinstance(made, Experiment)


@pytest.mark.parametrize(
    "file", sorted((Path(__file__).parents[2] / "experiments").glob("*.toml")), ids=lambda f: f.stem
)
def test_the_experiments_that_come_with_horae_load(file):
    assert load(file).name == file.stem
