"""LEAF's JSON."""

import json
import zlib

import numpy as np
import pytest
from refusing import held, refused

from horae.population.readers.leaf import LETTERS, Leaf


def write(folder, users, name="all_data_0"):
    folder.mkdir(parents=True, exist_ok=True)
    data = {user: {"x": x, "y": y} for user, (x, y) in users.items()}
    whole = {"users": list(users), "num_samples": [len(y) for _, y in users.values()], "user_data": data}
    (folder / f"{name}.json").write_text(json.dumps(whole))
    return whole


def femnist(n, value):
    return [[value] * 784 for _ in range(n)]


def test_femnist_keeps_its_floats_and_test_users_are_tested(tmp_path):
    write(tmp_path / "f" / "train", {"b": (femnist(2, 0.25), [3, 61]), "a": (femnist(1, 0.5), [0])}, "one")
    write(tmp_path / "f" / "train", {"c": (femnist(1, 0.75), [7])}, "two")
    write(tmp_path / "f" / "test", {"a": (femnist(1, 1.0), [5]), "nobody": (femnist(1, 0.0), [1])})
    member = Leaf(directory="f")
    assert member.missing(tmp_path) is None
    people = member.build(0, tmp_path)
    assert people.x.shape == (6, 28, 28)
    assert people.x.dtype == np.float32
    assert people.scale is None
    assert people.x[:, 0, 0].tolist() == [0.25, 0.25, 0.5, 0.75, 1.0, 0.0]
    assert [people.train.row(i).tolist() for i in range(3)] == [[0, 1], [2], [3]]  # b, a, c: as they first appear
    assert [people.test.row(i).tolist() for i in range(3)] == [[], [4], []]  # who never trains is nobody here
    assert (people.clients, people.classes) == (3, 62)


def test_without_test_files_everybody_keeps_a_fifth(tmp_path):
    write(tmp_path / "data" / "all_data", {"a": (femnist(10, 0.5), [1] * 10), "b": (femnist(5, 0.5), [1] * 5)})
    people = Leaf(directory=".").build(0, tmp_path)
    assert (people.train.sizes.tolist(), people.test.sizes.tolist()) == ([8, 4], [2, 1])
    assert sorted(held(people, 1)) == list(range(10, 15))


def test_shakespeare_is_eighty_characters_and_the_next(tmp_path):
    assert len(LETTERS) == len(set(LETTERS)) == 80
    line = "To be, or not to be" + "." * 61
    write(tmp_path / "s" / "all_data", {"HAMLET": ([line, line[:-1] + "\u2014"], ["T", "\u2014"])})
    people = Leaf(directory="s", kind="shakespeare", test_fraction=0).build(0, tmp_path)
    assert people.task == "next-token"
    assert people.x.shape == (2, 80)
    assert "".join(LETTERS[i] for i in people.x[0]) == line
    assert LETTERS[people.x[1, -1]] == " "
    assert people.y.tolist() == [LETTERS.index("T"), LETTERS.index(" ")]
    assert people.classes == 80


def test_sent140_is_hashed_words_and_four_is_positive(tmp_path):
    tweets = [["id", "date", "q", "user", "So happy, so"], ["id", "date", "q", "user", "!"]]
    write(tmp_path / "t" / "all_data", {"u": (tweets, [4, 0])})
    people = Leaf(directory="t", kind="sent140", features=100, width=4, test_fraction=0).build(0, tmp_path)
    so, happy = (zlib.crc32(word) % 99 + 1 for word in (b"so", b"happy"))
    assert people.x.tolist() == [[so, happy, so, 0], [0, 0, 0, 0]]
    assert people.x.dtype == np.int32
    assert people.y.tolist() == [1, 0]


def test_synthetic_is_sixty_numbers(tmp_path):
    write(tmp_path / "all_data", {"f_00000": ([[0.5] * 60, [-1.0] * 60], [9.0, 0])})
    people = Leaf(directory="", kind="synthetic", test_fraction=0).build(0, tmp_path)
    assert people.shape == (60,)
    assert people.y.tolist() == [9, 0]


def broken(**changes):
    whole = {"users": ["a"], "num_samples": [1], "user_data": {"a": {"x": femnist(1, 0.5), "y": [1]}}}
    return json.dumps({**whole, **changes})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (broken()[:-9], "broken or truncated JSON"),
        ("[1, 2]", "should hold users, num_samples and user_data"),
        (broken(user_data=None), "user_data by user"),
        (broken(num_samples=[1, 2]), "as many num_samples as users"),
        (broken(users=[], num_samples=[]), "one at least"),
        (broken(num_samples=[2]), "row of user a: should hold lists x and y of 2 samples each"),
        (broken(users=["b"]), "row of user b: should hold lists x and y"),
        (broken(user_data={"a": {"x": [], "y": []}}, num_samples=[0]), "row of user a: holds no sample"),
        (
            broken(user_data={"a": {"x": femnist(1, 0.5), "y": [62]}}),
            "row of user a: label should lie in [0, 62), got 62",
        ),
        (broken(user_data={"a": {"x": femnist(1, 0.5), "y": ["x"]}}), "label should lie in [0, 62), got 'x'"),
        (broken(user_data={"a": {"x": [[1, 2]], "y": [1]}}), "x should hold 784 finite numbers"),
        (broken(user_data={"a": {"x": femnist(1, float("nan")), "y": [1]}}), "x should hold 784 finite numbers"),
        (broken(user_data={"a": {"x": femnist(1, "x"), "y": [1]}}), "x should hold 784 finite numbers"),
    ],
)
def test_broken_files_are_one_line(tmp_path, text, words):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "a.json").write_text(text)
    with refused("a.json", words):
        Leaf(directory="").build(0, tmp_path)


def test_foreign_samples_are_one_line(tmp_path):
    write(tmp_path / "s" / "all_data", {"HAMLET": (["short"], ["T"])})
    with refused("row of user HAMLET: should hold 80 characters in x and one in y, got 'short'"):
        Leaf(directory="s", kind="shakespeare").build(0, tmp_path)
    with refused("row of user HAMLET: label should lie in [0, 2)"):
        Leaf(directory="s", kind="sent140").build(0, tmp_path)
    with refused("none", "holds no *.json in train/ or all_data/; put LEAF's femnist there"):
        Leaf(directory="none").build(0, tmp_path)
