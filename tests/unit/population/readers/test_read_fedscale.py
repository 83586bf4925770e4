"""FedScale's layout."""

import csv
import zlib

import numpy as np
import pytest
from PIL import Image
from refusing import held, refused
from scipy.io import wavfile

from horae.errors import ConfigError
from horae.population.readers.audio import log_mel
from horae.population.readers.cache import NAME
from horae.population.readers.fedscale import FedScale

HEADER = ("client_id", "sample_path", "label_name", "label_id")


def mapping(directory, split, rows, header=HEADER):
    (directory / "client_data_mapping").mkdir(parents=True, exist_ok=True)
    with (directory / "client_data_mapping" / f"{split}.csv").open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def picture(path, level, size=(28, 28), mode="L"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, level).save(path)


@pytest.fixture
def femnist(tmp_path):
    """Clients f0001, f0000, in that order; image i has the grey level 10 i."""
    here = tmp_path / "femnist"
    clients = ["f0001", "f0000", "f0001", "f0000", "f0001"]
    mapping(here, "train", [(who, f"images/{i}.png", "x", i) for i, who in enumerate(clients)])
    for i in range(5):
        picture(here / "images" / f"{i}.png", 10 * i)
    return here


def test_femnist_is_grey_bytes_of_clients_in_order_of_first_appearance(femnist):
    member = FedScale(test_fraction=0.2)
    assert member.missing(femnist.parent) is None
    people = member.build(0, femnist.parent)
    assert people.x.shape == (5, 28, 28)
    assert people.x.dtype == np.uint8
    assert people.scale == 1 / 255
    assert people.x[:, 3, 4].tolist() == [0, 10, 20, 30, 40]
    assert [sorted(held(people, i)) for i in range(2)] == [[0, 2, 4], [1, 3]]
    assert (people.classes, people.name) == (62, "femnist")


def test_images_are_decoded_once_and_mapped(femnist, monkeypatch):
    first = FedScale().build(0, femnist.parent)
    (kept,) = (femnist.parent / NAME).glob("*/x.npy")
    for file in (femnist / "images").iterdir():
        file.unlink()
    second = FedScale().build(1, femnist.parent)  # the files are not asked for again
    np.testing.assert_array_equal(first.x, second.x)
    assert isinstance(second.x, np.memmap)
    second.x[0] = 99  # a copy of the page, not the file
    assert np.load(kept)[0].max() == 0
    with refused("0.png", "row 2: is missing, though the mapping names it"):
        FedScale(side=14).build(0, femnist.parent)  # another size is another cache
    assert [f.name for f in (femnist.parent / NAME).rglob("*.part")] == []


def test_somebody_elses_test_mapping_is_more_people_and_ones_own_is_set_aside(femnist):
    mapping(femnist, "test", [("g", "images/0.png", "x", 1), ("g", "images/1.png", "x", 1)])
    mapping(femnist, "val", [("h", "images/2.png", "x", 1)])
    people = FedScale(test_fraction=0.5).build(0, femnist.parent)
    assert people.clients == 4
    assert sorted(held(people, 2)) == [5, 6]
    mapping(femnist, "test", [("f0000", "images/0.png", "x", 1)])
    people = FedScale().build(0, femnist.parent)
    assert [people.train.row(i).tolist() for i in range(2)] == [[0, 2, 4], [1, 3]]
    assert [people.test.row(i).tolist() for i in range(2)] == [[], [5]]


def test_clients_are_drawn_and_capped(femnist):
    one = FedScale(clients=1, samples_per_client=2, test_fraction=0.5).build(0, femnist.parent)
    assert (one.clients, len(held(one, 0))) == (1, 2)


def test_openimage_is_colour_planes_from_the_folder_of_its_split(tmp_path):
    here = tmp_path / "openimage"
    mapping(here, "train", [("a", "1.jpg", "Cat", 5), ("b", "2.jpg", "Dog", 9), ("a", "3.jpg", "Dog", 9)])
    mapping(here, "test", [("a", "4.png", "Cat", 5), ("b", "2.jpg", "Dog", 9)])
    for name in ("1.jpg", "2.jpg", "3.jpg"):
        picture(here / "train" / name, (200, 100, 0), (8, 6), "RGB")
    picture(here / "test" / "4.png", (1, 2, 3, 4), (6, 6), "RGBA")
    people = FedScale(directory="openimage", kind="openimage", side=4).build(0, tmp_path)
    assert people.x.shape == (5, 3, 4, 4)
    np.testing.assert_allclose(people.x[0, :, 1, 1], [200, 100, 0], atol=3)
    assert people.x[3, :, 0, 0].tolist() == [1, 2, 3]
    assert [people.test.row(i).tolist() for i in range(2)] == [[3], [4]]  # 2.jpg lies with the training images
    easy = FedScale(directory="openimage", kind="openimage", side=4, classes=1 + 1).build(0, tmp_path)
    assert easy.y.tolist() == [0, 1, 1, 0, 1]
    assert easy.classes == 2


def test_flips_and_jitter_are_the_same_every_time_and_spare_test_images(tmp_path):
    here = tmp_path / "femnist"
    half = np.zeros((28, 28), np.uint8)
    half[:, :14] = 100
    (here / "i").mkdir(parents=True)
    Image.fromarray(half).save(here / "i" / "half.png")
    mapping(here, "train", [("a", "i/half.png", "x", 0)] * 40)
    mapping(here, "test", [("a", "i/half.png", "x", 0)] * 3)
    one, two = (FedScale(flip=True, jitter=0.3).build(seed, tmp_path) for seed in (0, 1))
    np.testing.assert_array_equal(one.x, two.x)
    left = one.x[:40, 0, 0] > one.x[:40, 0, 27]
    assert 8 < left.sum() < 32
    assert np.unique(one.x[:40].max(axis=(1, 2))).size > 10
    assert (one.x[40:] == half).all()


def test_speech_is_named_by_its_second_last_column(tmp_path):
    here = tmp_path / "speech"
    (here / "train").mkdir(parents=True)
    tone = (0.5 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000) * 32767).astype(np.int16)
    wavfile.write(here / "train" / "a.wav", 16_000, tone)
    wavfile.write(here / "train" / "b.wav", 8_000, tone[::2])
    mapping(here, "train", [("s1", "a.wav", "two", 7), ("s2", "b.wav", "bed", 0)])
    people = FedScale(directory="speech", kind="speech").build(0, tmp_path)
    assert people.x.shape == (2, 98, 40)
    assert people.x.dtype == np.float32
    assert people.y.tolist() == [1, 34]
    np.testing.assert_array_equal(people.x[0], log_mel(here / "train" / "a.wav", 1.0))
    mapping(here, "train", [("s1", "a.wav", "too", 7)])
    with refused("train.csv, row 2: label 'too' is none of the 35 words; did you mean"):
        FedScale(directory="speech", kind="speech").build(0, tmp_path)


def test_reviews_are_bags_of_words_and_stars(tmp_path):
    header = ("client_id", "data_path", "label_name", "label_id")
    rows = [(1, 'Great "thing",\nreally great', 5, -1), (2, "bad", "1.0", -1)]
    mapping(tmp_path / "amazon", "train", rows, header)
    member = FedScale(directory="amazon", kind="reviews", features=1000, width=6)
    people = member.build(0, tmp_path)
    great = zlib.crc32(b"great") % 999 + 1
    assert people.x.shape == (2, 6)
    assert people.x[0, 0] == people.x[0, 3] == great
    assert people.x[0, 4] == 0
    assert people.y.tolist() == [4, 0]
    mapping(tmp_path / "amazon", "train", [(1, "fine", 6, -1)], header)
    with refused("train.csv, row 2: rating should be 1 to 5, got '6'"):
        member.build(0, tmp_path)


def test_reddit_asks_for_the_next_word(tmp_path):
    here = tmp_path / "reddit"
    mapping(here, "train", [("u", "the cat and the dog", -1, -1), ("v", "v.txt", -1, -1), ("w", "a b", -1, -1)])
    (here / "train").mkdir()
    (here / "train" / "v.txt").write_text("The dog. The bird")
    people = FedScale(directory="reddit", kind="reddit", features=6, width=3, test_fraction=0).build(0, tmp_path)
    # the 4 + dog 2 are known; a, and, b, bird, cat come once: the first two by alphabet have a number
    the, dog, a, and_, other = 2, 3, 4, 5, 1
    assert people.task == "next-token"
    assert people.classes == 6
    assert people.x.tolist() == [[the, other, and_], [the, 0, 0], [the, dog, the], [a, 0, 0]]
    assert people.y.tolist() == [[other, and_, the], [dog, -1, -1], [dog, the, other], [other, -1, -1]]
    assert [people.train.row(i).tolist() for i in range(3)] == [[0, 1], [2], [3]]


def test_a_text_may_look_like_a_path_and_be_longer_than_one(tmp_path):
    here = tmp_path / "reddit"
    mapping(here, "train", [("u", "/r/ask ../.. " + "word " * 100, -1, -1), ("v", "../x y", -1, -1)])
    people = FedScale(directory="reddit", kind="reddit", test_fraction=0).build(0, tmp_path)
    assert (people.y != -1).sum() == 101 + 1  # r ask word ... is 102 words, x y two
    mapping(here, "train", [("u", "x" * 300, -1, -1)])
    with refused("cannot be read (", "put it there"):  # too long a name, or no such file
        FedScale(directory="reddit", kind="reddit").build(0, tmp_path)


def test_reddits_own_mapping_numbers_blocks_so_its_files_are_the_clients(tmp_path):
    here = tmp_path / "reddit"
    mapping(here, "train", [(0, 0, -1, -1), (1, 1, -1, -1)])
    (here / "train").mkdir()
    for name, text in (("b", "c d e"), ("a", "a b"), ("x_cached_lm_64", "no")):
        (here / "train" / name).write_text(text)
    people = FedScale(directory="reddit", kind="reddit", width=4).build(0, tmp_path)
    assert people.clients == 2
    assert (people.y != -1).sum(axis=1).tolist() == [1, 2]


BROKEN = [
    ([("", "a.png", "x", 0)], "row 2: should name a client in its first column"),
    ([("a", "", "x", 0)], "row 2: should name a file in its second column"),
    ([("a", "a.png", "x", 0), ("a", "a.png", "x")], "row 3: should have 4 columns like its header, got 3"),
    ([("a", "a.png", "x", 62)], "row 2: label should lie in [0, 62), got 62"),
    ([("a", "a.png", "x", "cat")], "row 2: label should be a whole number, got 'cat'"),
    ([], "should list samples, got a header alone"),
]


@pytest.mark.parametrize(("rows", "words"), BROKEN)
def test_broken_mappings_are_one_line(tmp_path, rows, words):
    mapping(tmp_path / "femnist", "train", rows)
    with refused("train.csv", words):
        FedScale().build(0, tmp_path)


def test_broken_files_are_one_line(femnist):
    (femnist / "images" / "3.png").write_bytes(b"<html>404</html>")
    with refused("3.png, row 5: is no image that can be read"):
        FedScale().build(0, femnist.parent)
    assert list((femnist.parent / NAME).rglob("x.*")) == []  # nothing half-made
    data = (femnist / "images" / "2.png").read_bytes()
    (femnist / "images" / "2.png").write_bytes(data[: len(data) // 2])
    with refused("2.png, row 4: is no image that can be read"):
        FedScale().build(0, femnist.parent)
    mapping(femnist, "train", [("a", "../../secret.png", "x", 0)])
    with refused("names ../../secret.png, which lies outside of it"):
        FedScale().build(0, femnist.parent)
    mapping(femnist, "train", [("a", "b")], header=("client_id", "path"))
    with refused("train.csv, row 1: should have client, path and label columns"):
        FedScale().build(0, femnist.parent)
    with refused("train.csv is missing; put FedScale's mapping there"):
        FedScale(directory="none").build(0, femnist.parent)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": "speech", "side": 28}, "population.side should be left out for speech"),
        ({"kind": "reviews", "flip": True}, "population.flip should be left out for reviews"),
        ({"kind": "reddit", "classes": 3}, "population.classes should be 0 for reddit"),
        ({"classes": 63}, "population.classes should be 0 or in .2, 62. for femnist"),
        ({"jitter": 1.0}, "population.jitter should be in"),
        ({"clients": -1}, "population.clients should be >= 0"),
        ({"samples_per_client": -1}, "population.samples_per_client should be >= 0"),
        ({"test_fraction": 1.0}, "population.test_fraction should be in"),
    ],
)
def test_fields_that_make_no_sense_are_refused(fields, words):
    with pytest.raises(ConfigError, match=words):
        FedScale(**fields)
