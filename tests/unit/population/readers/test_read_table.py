"""Tables with a client column, and what arrays they may hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusing import refused

from horae.errors import ConfigError
from horae.population.readers.arrays import pool_of
from horae.population.readers.common import common_labels, numbered, rows_of
from horae.population.readers.table import Table


def save(folder, **arrays):
    np.savez(folder / "table.npz", **arrays)


def test_clients_are_numbered_as_they_first_appear(tmp_path):
    save(tmp_path, x=np.arange(8.0).reshape(4, 2), y=[1, 0, 1, 2], client=["z", "a", "z", "a"])
    people = Table(test_fraction=0).build(0, tmp_path)
    assert [people.train.row(i).tolist() for i in range(2)] == [[0, 2], [1, 3]]
    assert people.x.dtype == np.float32
    assert people.y.tolist() == [1, 0, 1, 2]
    assert (people.classes, people.task, people.name) == (3, "classification", "table")


def test_columns_have_the_names_that_are_given_and_several_make_a_sample(tmp_path):
    save(tmp_path, age=[1, 2, 3], height=[4.0, 5, 6], stars=[0.5, 1, 2], who=[5, 5, 9], late=[0, 1, 0])
    member = Table(x="age,height", y="stars", client="who", tested="late")
    people = member.build(0, tmp_path)
    assert people.x.tolist() == [[1, 4], [2, 5], [3, 6]]
    assert people.task == "regression"
    assert people.test.row(0).tolist() == [1]
    assert people.test.row(1).size == 0


def test_bytes_are_parts_of_one_and_other_whole_numbers_tokens(tmp_path):
    bytes_ = np.full((2, 3), 255, np.uint8)
    save(tmp_path, x=bytes_, y=[0, 1], client=[0, 1])
    assert Table().build(0, tmp_path).scale == 1 / 255
    assert Table(scale=0.5).build(0, tmp_path).scale == 0.5
    save(tmp_path, x=bytes_.astype(np.int16), y=[0, 1], client=[0, 1])
    assert Table().build(0, tmp_path).scale is None


def test_words_are_numbered_by_alphabet_and_texts_hashed():
    pool = pool_of(["a b", "b"], ["no", "yes"], [1, 1], "here")
    assert pool.y.tolist() == [0, 1]
    assert pool.x.shape == (2, 64)
    assert pool.x[0, 1] == pool.x[1, 0] > 0


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": np.zeros((2, 1)), "y": [0, 1]}, "has no 'client', but x, y; set x, y and client"),
        ({"x": np.zeros((2, 1)), "y": [0], "client": [0, 1]}, "should hold columns of one length"),
        ({"x": np.zeros((2, 1)), "y": 3, "client": [0, 1]}, "y should be an array, got a single value"),
        ({"x": np.zeros((2, 1)), "y": [0, -2], "client": [0, 1]}, "row 1: label should be >= 0, got -2"),
        ({"x": np.array([[0.0], [np.nan]]), "y": [0, 1], "client": [0, 1]}, "row 1: x should be finite"),
        ({"x": np.zeros((2, 1)), "y": [0, 1], "client": ["a", ""]}, "row 1: should name a client"),
        ({"x": np.zeros((2, 1)), "y": [0, 1], "client": [0.0, np.nan]}, "row 1: should name a client, got nan"),
        ({"x": np.zeros((2, 1), complex), "y": [0, 1], "client": [0, 1]}, "x should hold numbers or texts"),
        ({"x": np.zeros((0, 1)), "y": [], "client": []}, "should hold a sample, got none"),
        ({"x": np.array([{}, {}], object), "y": [0, 1], "client": [0, 1]}, "no npz of plain arrays"),
    ],
)
def test_broken_tables_are_one_line(tmp_path, arrays, words):
    save(tmp_path, **arrays)
    with refused("table.npz", words):
        Table().build(0, tmp_path)


def test_truncated_and_missing_tables_are_one_line(tmp_path):
    save(tmp_path, x=np.zeros((2, 1)), y=[0, 1], client=[0, 1])
    (tmp_path / "table.npz").write_bytes((tmp_path / "table.npz").read_bytes()[:200])
    with refused("table.npz: is no npz of plain arrays that can be read"):
        Table().build(0, tmp_path)
    with refused("other.npz is missing; put a table with x, y and client there"):
        Table(file="other.npz").build(0, tmp_path)
    with pytest.raises(ConfigError, match=r"population.file should end in .npz or .parquet, got 'a.csv'"):
        Table(file="a.csv")


def test_parquet_says_what_it_needs(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    (tmp_path / "t.parquet").touch()
    with refused("needs pyarrow: pip install"):
        Table(file="t.parquet").build(0, tmp_path)


def test_parquet(tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {"x": [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]], "y": [0, 1, 1], "client": ["u", "v", "u"], "a": [1, 2, 3]}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    people = Table(file="t.parquet", test_fraction=0).build(0, tmp_path)
    assert people.x.tolist() == columns["x"]
    assert people.train.row(0).tolist() == [0, 2]
    assert Table(file="t.parquet", x="a,y").build(0, tmp_path).shape == (2,)
    with refused("t.parquet: has no 'z', but x, y, client, a"):
        Table(file="t.parquet", y="z").build(0, tmp_path)
    (tmp_path / "t.parquet").write_bytes((tmp_path / "t.parquet").read_bytes()[:-9])
    with refused("t.parquet: is no Parquet file that can be read"):
        Table(file="t.parquet").build(0, tmp_path)


@given(st.lists(st.integers(0, 9), min_size=1), st.integers(1, 12))
def test_common_labels_keeps_the_commonest_and_loses_no_sample_of_theirs(labels, most):
    y = np.array(labels)
    there, new = common_labels(y, np.ones(y.size, bool), most)
    counts = np.bincount(y, minlength=10)
    kept, lost = np.unique(y[there]), np.setdiff1d(y, y[there])
    assert kept.size == min(most, np.unique(y).size)
    assert not lost.size or counts[kept].min() >= counts[lost].max()
    assert new.size == counts[kept].sum()
    np.testing.assert_array_equal(kept[new], y[there])


@given(st.lists(st.text(max_size=3)))
def test_names_are_numbered_in_order_of_first_appearance(names):
    numbers = numbered(names)
    first = list(dict.fromkeys(names))
    assert [first[i] for i in numbers] == names


def test_rows_of_a_table_of_text(tmp_path):
    (tmp_path / "t.csv").write_bytes('\ufeffa,b\r\n\n1,"x\ny"\n'.encode())
    assert list(rows_of(tmp_path / "t.csv")) == [(1, ["a", "b"]), (4, ["1", "x\ny"])]
    for data in (b'a,"b\n', b"\xff\xfe\x00", b"a,b\0c\n" * 2 + b'"'):
        (tmp_path / "t.csv").write_bytes(data)
        with refused("t.csv: cannot be read as a table of text"):
            list(rows_of(tmp_path / "t.csv"))
