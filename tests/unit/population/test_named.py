"""Each named population on a small file of its format, and on the real one where it is here."""

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest

from horae.errors import ConfigError, DataError
from horae.population import PARTITIONS
from horae.population.named import (
    NAMED,
    DebianDescriptions,
    FashionMnist,
    Glyphs,
    Hapt,
    Shakespeare,
    Synthetic,
    licence_and_size,
)
from horae.population.named.glyphs import typefaces
from horae.population.named.shakespeare import CLASSES, SYMBOLS, tokens, windows
from horae.population.shifting import LabelPermutation

PLACES = [Path(place) for place in (os.environ.get("HORAE_DATA", ""), Path.home() / ".cache" / "horae") if place]
PLACES.append(Path(__file__).parents[4] / "shared" / "data")


def real(name):
    for place in PLACES:
        if NAMED[name]().missing(place) is None:
            return NAMED[name]().build(0, place)
    pytest.skip(f"the data of {name} are not here; see docs/populations.md")


def hapt_file(directory, **changes):
    rng = np.random.default_rng(0)
    arrays = {
        "x": rng.integers(-4000, 4000, (60, 128, 6)).astype(np.int16),
        "y": (np.arange(60) % 12 + 1).astype(np.uint8),
        "subject": np.repeat([2, 5, 9], 20).astype(np.uint8),
        "scale": np.float32(0.25),
    }
    np.savez(directory / "hapt_windows.npz", **{**arrays, **changes})


def test_hapt_s_subjects_are_clients(tmp_path):
    hapt_file(tmp_path)
    people = Hapt().build(0, tmp_path)
    assert people.clients == 3
    assert people.x.dtype == np.int16
    assert people.scale == 0.25
    assert set(people.y.tolist()) == set(range(12))
    assert people.train.sizes.tolist() == [16] * 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x": np.zeros((60, 128, 6), np.float32)}, "should hold int16 windows"),
        ({"y": np.full(60, 13)}, "y should lie in \\[1, 12\\], got 13"),
        ({"subject": np.zeros(59, int)}, "should hold int16 windows"),
    ],
)
def test_a_foreign_hapt_file_is_one_line(tmp_path, changes, words):
    hapt_file(tmp_path, **changes)
    with pytest.raises(DataError, match=words):
        Hapt().build(0, tmp_path)


def test_a_broken_hapt_file_is_one_line(tmp_path):
    (tmp_path / "hapt_windows.npz").write_bytes(b"PK\x03\x04 no more")
    with pytest.raises(DataError, match="should hold x, y, subject and scale"):
        Hapt().build(0, tmp_path)


def debian_file(directory, text):
    with gzip.open(directory / "debian_descriptions.tsv.gz", "wt") as file:
        file.write(text)


def test_debian_s_maintainers_are_clients(tmp_path):
    lines = ["client\tsection\tdescription"]
    lines += [f"{i % 3 + 7}\t{'games' if i % 2 else 'libs'}\tgame number {i}" for i in range(12)]
    debian_file(tmp_path, "\n".join([*lines, "7\trare\tonly one"]) + "\n")
    member = DebianDescriptions(at_least=2, width=4)
    people = member.build(0, tmp_path)
    assert (people.clients, people.classes) == (3, 2)
    assert people.x.shape == (12, 4)
    assert people.y.tolist() == [1 - i % 2 for i in range(12)]  # games, libs
    read = member.reader(tmp_path)
    assert read(people.x[3]).split()[:3] == ["game", "number", "3"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a\tb\n", "should begin with client, section, description"),
        ("client\tsection\tdescription\n1\tgames\n", "row 2: should hold client, section, description, got 2"),
        ("client\tsection\tdescription\n1\tgames\tchess\n", "no section has 200 texts"),
    ],
)
def test_a_foreign_debian_file_is_one_line(tmp_path, text, words):
    debian_file(tmp_path, text)
    with pytest.raises(DataError, match=words):
        DebianDescriptions().build(0, tmp_path)


def test_a_truncated_gzip_is_one_line(tmp_path):
    whole = gzip.compress(b"client\tsection\tdescription\n" * 400)
    for member, name in (
        (DebianDescriptions, "debian_descriptions.tsv.gz"),
        (Shakespeare, "shakespeare_roles.jsonl.gz"),
    ):
        (tmp_path / name).write_bytes(whole[:30])
        with pytest.raises(DataError, match="broken or truncated"):
            member().build(0, tmp_path)


def roles_file(directory, *roles):
    with gzip.open(directory / "shakespeare_roles.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(role) + "\n" for role in roles)


def test_symbols_are_tokens():
    assert len(set(SYMBOLS)) == len(SYMBOLS) == CLASSES - 2
    assert tokens("\n !").tolist() == [1, 2, 3]
    assert tokens("~é").tolist() == [CLASSES - 1, SYMBOLS.index("?") + 1]  # what is no ASCII becomes a question mark


def test_windows_ask_for_what_follows():
    text = np.arange(5, 15, dtype=np.uint8)
    x, y = windows(text, 4, True)
    assert x.tolist() == [[5, 6, 7, 8], [9, 10, 11, 12], [13, 0, 0, 0]]
    assert y.tolist() == [[6, 7, 8, 9], [10, 11, 12, 13], [14, -1, -1, -1]]
    x, y = windows(text, 8, False)
    assert x.tolist() == [list(range(5, 13)), list(range(6, 14))]
    assert y.tolist() == [13, 14]


@pytest.mark.parametrize("every", [True, False])
def test_roles_are_clients_and_plays_are_groups(tmp_path, every):
    line = "To be, or not to be, that is the question:"
    roles_file(
        tmp_path,
        {"play": "hamlet", "role": "HAMLET", "lines": [line] * 10},
        {"play": "macbeth", "role": "MACBETH", "lines": [line[::-1]] * 9},
        {"play": "macbeth", "role": "PORTER", "lines": ["Knock"]},
    )
    member = Shakespeare(length=16, every=every)
    people = member.build(0, tmp_path)
    assert people.clients == 2  # the porter does not fill two windows
    assert people.groups.tolist() == [0, 1]
    assert people.task == "next-token"
    assert people.y.ndim == (2 if every else 1)
    assert member.reader(tmp_path)(people.x[0]) == "To be, or not to"
    assert (people.test.sizes > 0).all()


@pytest.mark.parametrize("role", [[1], {"play": 3}, {"play": "x", "lines": [3]}])
def test_a_foreign_role_is_one_line(tmp_path, role):
    roles_file(tmp_path, role)
    with pytest.raises(DataError, match="row 1: should hold play, role and lines"):
        Shakespeare().build(0, tmp_path)


def test_synthetic_differs_as_asked():
    def skew(alpha, beta):
        return Synthetic(clients=30, alpha=alpha, beta=beta).build(0).facts()["label_skew"]

    people = Synthetic(clients=30).build(0)
    assert people.shape == (60,)
    assert people.train.sizes.min() >= 40
    assert skew(0, 0) < 0.95
    assert people.x.std(axis=0)[0] > people.x.std(axis=0)[-1]  # j^-1.2
    with pytest.raises(ConfigError, match="alpha should be"):
        Synthetic(alpha=-1)


def test_synthetic_labels_follow_a_linear_model_of_each_client():
    people = Synthetic(clients=3, samples_per_client=400).build(1)
    row = people.train.row(0)
    x = np.concatenate([people.x[row], np.ones((row.size, 1), np.float32)], axis=1)
    weights, *_ = np.linalg.lstsq(x, np.eye(10)[people.y[row]], rcond=None)
    assert ((x @ weights).argmax(1) == people.y[row]).mean() > 0.6


def test_glyphs_have_sixty_two_letters_and_a_typeface_each():
    people = Glyphs(clients=4, images_per_client=62, side=20).build(0)
    assert people.x.shape == (248, 20, 20)
    assert sorted(people.y[:62].tolist()) == list(range(62))
    assert (people.x.reshape(248, -1).max(axis=1) > 60).all()  # every letter is there
    assert sorted(people.groups.tolist()) == [0, 1, 2, 3]
    assert len(typefaces("matplotlib")) >= 10
    assert set(typefaces("matplotlib")) <= set(typefaces("installed")) or len(typefaces("installed")) >= 10


def test_more_hands_than_typefaces_share_them():
    n = len(typefaces("matplotlib"))
    people = Glyphs(clients=2 * n, images_per_client=2).build(0)
    assert np.bincount(people.groups).tolist() == [2] * n


def test_shifts_and_partitions_are_fields():
    people = Glyphs(clients=4, images_per_client=5, shifts=(LabelPermutation(2),)).build(0)
    assert sorted(people.groups.tolist()) == [0, 0, 1, 1]


@pytest.mark.parametrize("name", ["fashion-mnist", "hapt", "debian-descriptions", "shakespeare"])
def test_the_real_thing_has_its_published_size(name):
    people = real(name)
    samples, clients, classes = {
        "fashion-mnist": (70_000, 200, 10),
        "hapt": (10_929, 30, 12),
        "debian-descriptions": (51_479, 326, 39),
        "shakespeare": (54_785, 1052, 78),
    }[name]
    assert (len(people.x), people.clients, people.classes) == (samples, clients, classes)
    assert people.licence and people.citation
    if name == "fashion-mnist":
        assert people.test.sizes.sum() == 10_000


def test_fashion_by_another_partition():
    real("fashion-mnist")
    people = FashionMnist(clients=20, partition=PARTITIONS["shard"]()).build(0)
    sorts = [np.unique(people.y[people.train.row(i)]).size for i in range(20)]
    assert max(sorts) <= 4


@pytest.mark.parametrize("name", NAMED)
def test_what_is_missing_is_said_in_one_line(name, tmp_path, monkeypatch):
    missing = NAMED[name]().missing(tmp_path)
    assert missing is None or ("is missing; put" in missing and "\n" not in missing)


@pytest.mark.parametrize("name", NAMED)
def test_each_has_a_licence_and_a_size(name):
    assert all(licence_and_size(name, NAMED[name]))
