"""`horae data split` and `horae data import`."""

import csv
import sys
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from horae.cli import app
from horae.cli.split import read_records, split_records
from horae.cli.upstream import experiment_from
from horae.errors import ConfigError, DataError, HoraeError, RunError
from horae.experiment import load

MAPPING = 'client_id,sample_path,label_name,label_id\r\n"a",1.png,"x, y",0\r\n' + "".join(
    f'{who},{i}.png,"say ""{i}""\nand more",{i}\r\n' for i, who in enumerate("abababababcabab")
)
YML = """
ps_ip: localhost
job_conf:
    - job_name: auxo_femnist   # the name
    - log_path: $FEDSCALE_HOME/benchmark
    - num_participants: 200
    - data_set: femnist
    - data_map_file: $FEDSCALE_HOME/benchmark/dataset/data/femnist/client_data_mapping/train.csv
    - device_conf_file: $FEDSCALE_HOME/benchmark/dataset/data/device_info/client_device_capacity
    - model: resnet18
    - eval_interval: 20
    - rounds: 1000
    - filter_less: 0
    - local_steps: 10
    - learning_rate: 0.05
    - batch_size: 20
"""


def ran(*words):
    return CliRunner().invoke(app, ["data", *map(str, words)], standalone_mode=False)


def rows(file):
    with file.open(newline="") as opened:
        return list(csv.reader(opened))


def test_every_row_goes_to_one_file_as_it_stands(tmp_path):
    file = tmp_path / "all.csv"
    file.write_bytes(MAPPING.encode())
    result = ran("split", file, "--out", tmp_path / "out", "--val", "0.2")
    assert result.exception is None, result.exception
    parts = {name: (tmp_path / "out" / f"{name}.csv").read_bytes().decode() for name in ("train", "test", "val")}
    header, records = read_records(file)
    assert header == "client_id,sample_path,label_name,label_id\r\n"
    assert all(text.startswith(header) for text in parts.values())
    assert sum(len(text) - len(header) for text in parts.values()) == len(MAPPING) - len(header)
    for _, text in records:
        assert sum(text in part for part in parts.values()) == 1  # quotes and line ends included
    tested = [row[0] for row in rows(tmp_path / "out" / "test.csv")[1:]]
    assert {who: tested.count(who) for who in "abc"} == {"a": 2, "b": 1, "c": 0}  # of 8, 7 and 1
    assert "test.csv: 3 samples" in result.output


def test_the_same_seed_is_the_same_split_and_without_val_there_is_none(tmp_path):
    file = tmp_path / "all.csv"
    file.write_bytes(MAPPING.encode())
    made = []
    for out, seed in (("one", 0), ("two", 0), ("three", 1)):
        assert ran("split", file, "--out", tmp_path / out, "--seed", seed).exception is None
        made.append((tmp_path / out / "test.csv").read_bytes())
    assert made[0] == made[1] != made[2]
    assert not (tmp_path / "one" / "val.csv").exists()


@given(
    st.lists(st.sampled_from("abcdef"), min_size=1, max_size=60),
    st.floats(0.01, 0.6),
    st.floats(0, 0.39),
    st.integers(0, 9),
)
def test_who_has_two_samples_has_one_to_test_on_and_everybody_one_to_train_on(clients, test, val, seed):
    where = split_records(clients, test, val, seed)
    for who in set(clients):
        own = [part for client, part in zip(clients, where, strict=True) if client == who]
        n = len(own)
        assert own.count(0) >= 1
        assert own.count(1) == (0 if n == 1 else min(max(round(test * n), 1), n - 1))
        assert own.count(2) <= round(val * n)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "should hold a header and a sample, got 0 rows"),
        ("a,b\n", "should hold a header and a sample, got 1 rows"),
        ("a,b\n1\n", "row 2: should have 2 columns"),
        ("a,b\n ,1\n", "row 2: should have 2 columns, the first a client's id"),
        ('a,b\n1,"2\n', "cannot be read as CSV"),
    ],
)
def test_broken_mappings_are_one_line(tmp_path, text, words):
    (tmp_path / "m.csv").write_text(text)
    error = ran("split", tmp_path / "m.csv", "--out", tmp_path / "out").exception
    assert isinstance(error, DataError)
    assert words in str(error)
    assert "\n" not in str(error)


def test_wrong_shares_and_places_are_refused(tmp_path):
    file = tmp_path / "train.csv"
    file.write_text("a,b\n1,2\n1,3\n")
    assert isinstance(ran("split", file, "--out", tmp_path, "--test", "1").exception, ConfigError)
    assert isinstance(ran("split", file, "--out", tmp_path / "o", "--test", ".5", "--val", ".5").exception, ConfigError)
    error = ran("split", file, "--out", tmp_path).exception
    assert isinstance(error, RunError)
    assert "is what is being split; name another directory" in str(error)
    assert file.read_text() == "a,b\n1,2\n1,3\n"
    assert isinstance(ran("split", tmp_path / "none", "--out", tmp_path / "o").exception, DataError)
    assert isinstance(ran("split", file, "--out", file / "o").exception, RunError)


def test_auxo_yml_becomes_an_experiment(tmp_path):
    pytest.importorskip("yaml")
    (tmp_path / "auxo.yml").write_text(YML)
    result = ran("import", tmp_path / "auxo.yml", "--out", tmp_path / "e.toml")
    assert result.exception is None, result.exception
    assert "not taken over: filter_less, log_path\n" in result.output
    table = tomllib.loads((tmp_path / "e.toml").read_text())
    assert table["population"] == {"name": "fedscale", "kind": "femnist", "directory": "femnist"}
    assert table["devices"] == {"name": "trace", "file": "device_info/client_device_capacity"}
    experiment = load(tmp_path / "e.toml")
    assert (experiment.name, experiment.participants, experiment.overcommit) == ("auxo_femnist", 200, 1.3)
    assert experiment.budget.participations == 200_000
    assert (experiment.training.lr, experiment.training.steps, experiment.training.batch) == (0.05, 10, 20)
    assert (experiment.training.schedule, experiment.training.decay, experiment.training.decay_every) == (
        "step",
        0.98,
        10,
    )
    assert experiment.evaluation.every == 20
    assert isinstance(ran("import", tmp_path / "auxo.yml", "--out", tmp_path / "e.toml").exception, RunError)


def test_words_of_upstream_are_ours():
    table, left = experiment_from(
        {"data_set": "blog", "model": "albert-base-v2", "task": "nlp", "gradient_policy": "fed-yogi"}
    )
    assert table["population"]["kind"] == "reddit"
    assert (table["model"], table["algorithm"]) == ({"name": "albert"}, {"name": "fedyogi"})
    assert table["training"]["optimizer"] == "adam"
    assert left == []
    load(table)


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ({"data_set": "mars"}, "data_set: there is no 'mars' here; known: femnist"),
        ({"model": "yolo"}, "model: there is no 'yolo' here"),
        ({"rounds": "many"}, "rounds should be a number, got 'many'"),
        ({"rounds": 1.5}, "rounds should be a whole number"),
        ({"learning_rate": True}, "learning_rate should be a whole number"),
        ({"device_conf_file": "$HOME/x"}, "device_conf_file should be a path, got '$HOME/x'"),
    ],
)
def test_what_has_no_counterpart_is_refused_or_listed(job, words):
    with pytest.raises(DataError) as error:
        experiment_from(job)
    assert words in str(error.value)
    assert experiment_from({"num_loaders": 2})[1] == ["num_loaders"]


@pytest.mark.parametrize("text", ["", "a: [", "job_conf: 3", "- 1", "job_conf:\n  - 3", "!!python/object:os.system {}"])
def test_a_file_that_is_no_job_is_one_line(tmp_path, text):
    pytest.importorskip("yaml")
    (tmp_path / "j.yml").write_text(text)
    error = ran("import", tmp_path / "j.yml", "--out", tmp_path / "e.toml").exception
    assert isinstance(error, HoraeError)
    assert "\n" not in str(error)
    assert not (tmp_path / "e.toml").exists()


def test_without_pyyaml_it_says_what_it_needs(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    error = ran("import", tmp_path / "j.yml").exception
    assert isinstance(error, DataError)
    assert 'pip install "horae[yaml]"' in str(error)
