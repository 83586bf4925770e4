"""SWEEP.toml: what it says, and every mistake in one line that names field, value and remedy."""

import tomllib

import pytest

from horae.errors import ConfigError, HoraeError
from horae.sweep import making
from horae.sweep.file import Entry, read
from horae.sweep.slots import Host

SMALL = 'set = { budget.participations = 40, participants = 10, population.clients = 40, baseline = "none" }'


def written(tmp_path, text):
    file = tmp_path / "heads.toml"
    file.write_text(text, encoding="utf-8")
    return file


def made(tmp_path, text, jobs=None):
    return making.make(read(written(tmp_path, text)), jobs)


def test_a_whole_file(tmp_path):
    text = """
slots = ["cpu", "lab:cuda:0"]
threads = 2
seeds = "0-2"
data_root = "${HOME}/data"
[[run]]
name = "one"
experiment = "mine.toml"
set = { clustering = "single", training.lr = 0.5 }
[[run]]
name = "two"
seeds = [7]
[vary]
participants = [10, 30]
[environment]
WANDB_API_KEY = "${WANDB_API_KEY}"
[hosts.lab]
ssh = "${USER}@lab"
directory = "/srv/horae"
"""
    file = read(written(tmp_path, text))
    assert (file.name, file.threads, file.folder) == ("heads", 2, tmp_path)
    changes = {"clustering.name": "single", "training.lr": 0.5}
    assert file.entries == [Entry("one", "mine.toml", changes, [0, 1, 2]), Entry("two", "", {}, [7])]
    assert file.vary == {"participants": [10, 30]}
    assert file.where.slots == ["cpu", "lab:cuda:0"]
    assert file.where.hosts == {"lab": Host("${USER}@lab", "/srv/horae")}
    assert file.where.environment == {"WANDB_API_KEY": "${WANDB_API_KEY}"}


def test_every_run_meets_every_choice_on_its_seeds(tmp_path):
    text = f'seeds = [0, 1]\n[[run]]\nname = "a"\n{SMALL}\n[[run]]\nname = "b b"\nseeds = [5]\n{SMALL}\n'
    plan, texts = made(tmp_path, text + '[vary]\nclustering = ["single", "auxo"]\n', jobs=3)
    assert [run.id for run in plan.runs] == [
        "a,single/seed-0", "a,single/seed-1", "a,auxo/seed-0", "a,auxo/seed-1", "bb,single/seed-5", "bb,auxo/seed-5",
    ]  # fmt: skip
    assert plan.where.slots == ["cpu"] * 3
    table = tomllib.loads(texts[plan.runs[3]])
    assert (table["seed"], table["clustering"]["name"], table["participants"]) == (1, "auxo", 10)
    assert table["budget"] == {"participations": 40}


def test_experiments_lie_beside_the_file_and_keep_their_baseline(tmp_path):
    (tmp_path / "mine.toml").write_text('name = "mine"\nbaseline = "oracle"\nparticipants = 9\n')
    text = 'threads = 3\n[[run]]\nname = "a"\nexperiment = "mine.toml"\n'
    plan, texts = made(tmp_path, text)
    table = tomllib.loads(texts[plan.runs[0]])
    assert (table["name"], table["baseline"], table["participants"]) == ("mine", "oracle", 9)
    assert table["training"]["threads"] == 3


def test_variables_stay_as_they_are_written_and_are_put_in_to_be_looked_at(tmp_path, monkeypatch):
    monkeypatch.setenv("MODEL", "mlp")
    monkeypatch.setenv("PLACE", "/somewhere/else")
    text = (
        '[[run]]\nname = "a"\nset = { model.name = "${MODEL}", clustering.from = "${PLACE}/run", name = "x${MODEL}" }\n'
    )
    plan, texts = made(tmp_path, text)
    (said,) = texts.values()
    table = tomllib.loads(said)
    assert (table["model"]["name"], table["clustering"]["from"]) == ("${MODEL}", "${PLACE}/run")
    assert "/somewhere" not in said
    experiment = making.experiment_of(said, plan.runs[0])
    assert (experiment.names()["model"], experiment.cohorts_from) == ("mlp", "/somewhere/else/run")
    assert experiment.name == "xmlp"


def test_varied_variables_name_runs_by_what_is_written(tmp_path, monkeypatch):
    monkeypatch.setenv("MODEL", "mlp")
    plan, _ = made(tmp_path, '[[run]]\nname = "a"\n[vary]\nmodel = ["logistic", "${MODEL}"]\n')
    assert [run.id for run in plan.runs] == ["a,logistic/seed-0", "a,-MODEL-/seed-0"]


RUN = '[[run]]\nname = "a"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "run should be one table at least, got []; add [[run]] name = \"...\""),
        ("[run]\nname = 'a'", "run should be one table at least, got {'name': 'a'}; add"),
        ("slot = ['cpu']\n" + RUN, "the sweep has no 'slot'; did you mean 'slots'?"),
        ("slots = 'cpu'\n" + RUN, "slots should be a list of texts, got 'cpu'; try: slots = [\"cpu\", \"cpu\"]"),
        ("slots = ['gpu']\n" + RUN, "slots should look like cpu, cuda:0, HOST:cpu or HOST:cuda:0, got 'gpu'"),
        ("slots = ['lab:cpu']\n" + RUN, "slots: there is no host 'lab'; add [hosts.lab] ssh"),
        ("threads = 0.5\n" + RUN, "threads should be a whole number from 1 to 256, got 0.5; leave it away"),
        ("seeds = '4-2'\n" + RUN, "seeds should count upwards, got '4-2'; say 2-4"),
        ("seeds = [-1]\n" + RUN, "seeds should be a list of whole numbers, or a text like 0-4, got [-1]"),
        ("name = '../x'\n" + RUN, "name should be fit for a directory: without slashes"),
        ("[[run]]\n", "run should have a name of 1 to 80 letters, got None"),
        (RUN + RUN, "run should have different names, got 'a'"),
        (RUN + "experimnt = 'x'", "run a: there is no 'experimnt'; did you mean 'experiment'?"),
        (RUN + "experiment = 'x.toml'", "run a: there is no experiment file"),
        (RUN + "set = ['x']", "run a: set should be a table, got ['x']; write set = { ... }"),
        (RUN + "set = { clusterin.name = 'auxo' }", "run a: the experiment has no 'clusterin'; did you mean 'clusteri"),
        (RUN + "set = { training.device = 'cpu' }", "run a: set should name another field, got 'training.device'; the"),
        (RUN + "set = { seed = 3 }", "run a: set should name another field, got 'seed'; use seeds = [...]"),
        ("threads = 2\n" + RUN + "set = { training.threads = 1 }", "run a: set should name another field, got 'traini"),
        (RUN + "[vary]\nclustering = 'auxo'", "vary clustering should be a list of values, got 'auxo'"),
        (RUN + "set = { seed_ = 1 }\n[vary]\nseed_ = [1]", "run a: set should be other fields than [vary], got 'seed_"),
        (RUN + "[hosts.lab]\nssh = 'x'", "hosts.lab.directory should be said, got ''; try: directory = \"/srv/horae\""),
        (RUN + "[hosts.lab]\nssh = '-oProxyCommand=x'\ndirectory = '/x'", "hosts.lab.ssh should be an address, got '-"),
        (RUN + "[hosts.lab]\nssh = 'x'\ndirectory = 'x'", "hosts.lab.directory should begin with /, got 'x'"),
        (RUN + "[hosts.lab]\nssh = 'x'\ndirectry = '/x'", "hosts.lab has no 'directry'; did you mean 'directory'?"),
        (RUN + "[hosts.cpu]\nssh = 'x'", "hosts should have names without colons, other than cpu and cuda, got 'cpu'"),
        (RUN + "[environment]\nA-B = 'x'", "environment should have names of letters, digits and _, got 'A-B'"),
        (RUN + "set = { name = '${MY_TOKEN}' }", "run a: set: name should hold no secret, got ${MY_TOKEN}; give it to"),
        (RUN + "[vary]\nmodel.name = ['${MY_TOKEN}']", "vary: model.name should hold no secret, got ${MY_TOKEN}; give"),
        (RUN + "set = { name = '${HORAE_NOT_SET}' }", "run a: name should name variables that are set, got ${HORAE_NO"),
        (RUN + "[hosts.lab]\nssh = '${MY_TOKEN}@x'\ndirectory = '/x'", "hosts.lab.ssh should hold no secret, got ${MY"),
        ("name = [", "is not TOML: "),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(tmp_path, text, message):
    with pytest.raises(ConfigError) as error:
        made(tmp_path, text)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_secret_in_the_file_is_refused_and_not_repeated(tmp_path):
    with pytest.raises(ConfigError) as error:
        made(tmp_path, RUN + '[environment]\nMY_TOKEN = "hunter2"\n')
    assert str(error.value) == 'environment.MY_TOKEN should be "${MY_TOKEN}": the file is no place for the value itself'


def test_no_file(tmp_path):
    with pytest.raises(ConfigError, match=r"there is no sweep file .*; check the path"):
        read(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[run]]\nname = 'a'\nset = { participants = 500 }", "run a: participants should be <= 200 clients, got 500;"),
        ("slots = ['cuda:99']\n" + RUN, "slots should be on the "),
        (RUN + "[environment]\nX = '${HORAE_NOT_SET}'", "environment.X should name variables that are set, got ${HORA"),
        ("slots = ['lab:cpu']\n" + RUN + "[hosts.lab]\nssh = '${HORAE_NOT_SET}'\ndirectory = '/x'", "hosts.lab should"),
        ("data_root = '${HORAE_NOT_SET}'\n" + RUN + "set = { population = 'mnist-writers' }", "data_root should name "),
    ],
)  # fmt: skip
def test_what_cannot_be_carried_out_is_known_before_anything_is_started(tmp_path, text, message):
    with pytest.raises(HoraeError) as error:
        making.check(*made(tmp_path, text))
    assert message in str(error.value)


def test_missing_data_are_known_where_all_runs_are_here(tmp_path, monkeypatch):
    text = RUN + "set = { population = 'mnist-writers' }\n"
    monkeypatch.setenv("HORAE_DATA", str(tmp_path / "none"))
    with pytest.raises(HoraeError, match=r"run a: .* is missing"):
        making.check(*made(tmp_path, text))
    there = "slots = ['cpu', 'lab:cpu']\n" + text + "[hosts.lab]\nssh = 'lab'\ndirectory = '/x'"
    making.check(*made(tmp_path, there))  # the data may be there


@pytest.mark.parametrize(
    ("said", "meant"), [("data", "{}/data"), ("/data", "/data"), ("${HOME}/x", "${HOME}/x"), ("", "")]
)
def test_data_lie_beside_the_file(tmp_path, said, meant):
    plan, _ = made(tmp_path, f'data_root = "{said}"\n' + RUN)
    assert plan.where.data_root == meant.replace("{}", str(tmp_path))
