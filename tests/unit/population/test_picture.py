import numpy as np
import pytest
from PIL import Image

from horae.errors import HoraeError
from horae.population import DigitsRotated, Pool, Virtual
from horae.population.named import Synthetic
from horae.population.partitioners import NaturalId
from horae.population.picture import _words, kind_of, picture
from horae.population.sharing import share_out


def made(x, y=None, **fields):
    n = len(x)
    y = np.arange(n) % 2 if y is None else y
    pool = Pool(x, y, **{"classes": 2, "owners": np.arange(n) // 5, **fields})
    return share_out(pool, NaturalId(), name="made")


@pytest.mark.parametrize(
    ("x", "fields", "kind"),
    [
        (np.zeros((20, 8, 8), np.float32), {}, "images"),
        (np.zeros((20, 3, 8, 8), np.uint8), {"scale": 1 / 255}, "images"),
        (np.zeros((20, 8, 8, 3), np.uint8), {"scale": 1 / 255}, "images"),
        (np.zeros((20, 128, 6), np.int16), {"scale": 0.1}, "curves"),
        (np.zeros((20, 60), np.float32), {}, "curves"),
        (np.ones((20, 12), np.int32), {}, "text"),
    ],
)
def test_each_kind_of_sample_is_drawn(tmp_path, x, fields, kind):
    people = made(x, **fields)
    assert kind_of(people) == kind
    picture(people, tmp_path / "people.png")
    with Image.open(tmp_path / "people.png") as image:
        assert image.size == (1430, 902)
        assert np.asarray(image.convert("L")).std() > 5


def test_the_same_population_gives_the_same_bytes(tmp_path):
    for name in ("one.png", "two.png"):
        picture(DigitsRotated(clients=8).build(0), tmp_path / name, seed=3)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_ratings_and_ten_million_clients_are_drawn(tmp_path):
    y = np.arange(20, dtype=np.float32)
    people = made(np.ones((20, 4), np.int32), y, classes=1, task="regression")
    for i, each in enumerate((people, Virtual().build(0), Synthetic(clients=7).build(0))):
        picture(each, tmp_path / f"{i}.png")


def test_tokens_are_read_by_whoever_can():
    people = made(np.array([[1, 2, 0]] * 10, np.int32))
    assert _words(people, np.array([0, 1]), None) == "0: 1 2\n1: 1 2"
    assert _words(people, np.array([0]), lambda x: f"words {x.sum()}") == "0: words 3"


def test_a_folder_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(HoraeError):
        picture(DigitsRotated(clients=4).build(0), tmp_path / "no" / "such" / "x.png")
