import numpy as np
import pytest

from horae.errors import ConfigError, DataError
from horae.population import MnistWriters
from horae.population.datasets import missing_writers
from horae.population.partitioners import NaturalId, Pathological
from horae.population.shifting import Rotation
from horae.population.writers import shrink


@pytest.fixture
def small(tmp_path):
    """Three writers with 8, 2 and 1 images, in the real file's format."""
    writer = np.repeat(np.array([5, 9, 2000], np.int16), [8, 2, 1])
    x = np.zeros((11, 28, 28), np.uint8)
    x[:] = (writer % 256)[:, None, None]
    hsf = np.repeat(np.array([0, 4, 4], np.uint8), [8, 2, 1])
    np.savez(tmp_path / "mnist_writers.npz", x=x, y=np.arange(11, dtype=np.uint8) % 10, writer=writer, hsf=hsf)
    return tmp_path


def test_writers_by_hand(small):
    people = MnistWriters(clients=3, train_per_client=6, test_per_client=2).build(0, small)
    # 8 images: 6 + 2; 2 images: round(2 * 2 / 8) = 0 for testing; 1 image: it trains
    assert people.train.sizes.tolist() == [6, 2, 1]
    assert people.test.sizes.tolist() == [2, 0, 0]
    assert people.groups.tolist() == [0, 1, 1]
    assert people.shape == (14, 14)
    held = np.concatenate([people.train.indices, people.test.indices])
    assert sorted(held.tolist()) == list(range(11))
    for i, ink in enumerate([5, 9, 2000 % 256]):
        np.testing.assert_allclose(people.x[people.train.row(i)], ink / 255, rtol=1e-6)


def test_fewer_clients_keep_fewer_images(small):
    people = MnistWriters(clients=1, train_per_client=1, test_per_client=0, side=28).build(0, small)
    assert people.x.shape == (1, 28, 28)


def test_shrink_averages_squares():
    x = np.zeros((1, 28, 28), np.uint8)
    x[0, 0, 0], x[0, 0, 1], x[0, 27, 27] = 255, 255, 255
    small = shrink(x, 14)
    assert small[0, 0, 0] == 0.5 and small[0, 13, 13] == 0.25 and small.sum() == 0.75
    assert shrink(x, 28).sum() == 3


def test_a_missing_file_is_one_line(tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"mnist_writers\.npz is missing; put it there, or name .* --data-root"):
        MnistWriters().build(0, tmp_path)
    monkeypatch.setenv("HORAE_DATA", str(tmp_path / "elsewhere"))
    assert "elsewhere" in (MnistWriters().missing(None) or "")


def test_a_foreign_file_is_refused(tmp_path):
    (tmp_path / "mnist_writers.npz").write_bytes(b"PK not a zip")
    with pytest.raises(DataError, match="should hold x, y, writer and hsf"):
        MnistWriters().build(0, tmp_path)
    np.savez(tmp_path / "mnist_writers.npz", x=np.zeros(1))
    with pytest.raises(DataError, match="should hold x, y, writer and hsf"):
        MnistWriters().build(0, tmp_path)
    with (tmp_path / "mnist_writers.npz").open("wb") as file:
        np.save(file, np.zeros(3))  # one array, and not a table of them
    with pytest.raises(DataError, match="should hold x, y, writer and hsf"):
        MnistWriters().build(0, tmp_path)


@pytest.mark.parametrize(
    ("field", "array"),
    [
        ("x", np.zeros((11, 784), np.uint8)),
        ("x", np.zeros((11, 28, 28), np.float32)),
        ("x", np.zeros((10, 28, 28), np.uint8)),
        ("y", np.zeros(11)),
        ("writer", np.zeros((11, 1), np.int16)),
        ("hsf", np.array(["0"] * 11)),
    ],
)
def test_a_file_of_other_arrays_is_refused(small, field, array):
    file = small / "mnist_writers.npz"
    arrays = dict(np.load(file))
    np.savez(file, **{**arrays, field: array})
    with pytest.raises(DataError, match=r"should hold images \(n, 28, 28\) of bytes and n whole numbers each, got \["):
        MnistWriters(clients=3).build(0, small)


def test_a_damaged_file_is_refused(small):
    file = small / "mnist_writers.npz"
    np.savez_compressed(file, **dict(np.load(file)))
    data = bytearray(file.read_bytes())
    data[80:120] = bytes(40)
    file.write_bytes(bytes(data))
    with pytest.raises(DataError, match="should hold x, y, writer and hsf, got") as caught:
        MnistWriters(clients=3).build(0, small)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"clients": 0}, "population.clients should be >= 1, got 0; raise it"),
        ({"side": 7}, "population.side should be 14 or 28, got 7"),
        ({"train_per_client": 0}, "population.train_per_client should be >= 1"),
        ({"test_per_client": -1}, "population.test_per_client should be >= 0"),
    ],
)
def test_bad_values_are_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        MnistWriters(**fields)


def test_more_clients_than_writers(small):
    with pytest.raises(ConfigError, match=r"population\.clients should be <= the 3 writers, got 4; lower it"):
        MnistWriters(clients=4).build(0, small)


def test_the_real_file():
    missing = missing_writers(None)
    if missing is not None:
        pytest.skip(missing)
    people = MnistWriters().build(0, None)
    assert people.clients == 200 and set(people.groups) == {0, 1}
    assert people.train.sizes.max() == 60 and people.test.sizes.max() == 20
    assert people.x.min() >= 0 and people.x.max() <= 1
    assert np.unique(np.concatenate([people.train.indices, people.test.indices])).size == len(people.x)


@pytest.fixture
def digits(tmp_path):
    """Twenty writers of ten digits each, in the real file's format; the ink of an image says which it is."""
    n = 200
    x = np.repeat(np.arange(n, dtype=np.uint8), 28 * 28).reshape(n, 28, 28)
    writer = np.repeat(np.arange(20, dtype=np.int16), 10)
    np.savez(
        tmp_path / "mnist_writers.npz", x=x, y=np.arange(n, dtype=np.uint8) % 10, writer=writer,
        hsf=np.repeat(np.array([0, 4], np.uint8), n // 2),
    )  # fmt: skip
    return tmp_path


def test_another_partition_shares_all_images_out(digits):
    people = MnistWriters(4, 14, 30, 10, Pathological(2)).build(0, digits)
    sizes = people.train.sizes + people.test.sizes
    assert (sizes <= 40).all() and (people.train.sizes == np.round(sizes * 3 / 4)).all()
    assert all(np.unique(people.y[people.train.row(i)]).size <= 2 for i in range(4))
    held = np.concatenate([people.train.indices, people.test.indices])
    assert np.unique(held).size == held.size  # no image is held twice
    assert people.groups.tolist() == [-1] * 4  # writers are forgotten, and so is what is known of them
    some = people.train.row(1)[0]
    assert people.y[some] == round(255 * float(people.x[some, 0, 0])) % 10  # the ink says which image it is


def test_shifts_make_the_groups(digits):
    turned = (Rotation((0.0, 180.0)),)
    for partition in (NaturalId(), Pathological(2)):
        people = MnistWriters(4, 14, 30, 10, partition, turned).build(0, digits)
        assert sorted(people.groups.tolist()) == [0, 0, 1, 1]


def test_shifts_change_nothing_else_of_the_writers(digits):
    bare, turned = (MnistWriters(4, 14, 6, 2, shifts=shifts).build(0, digits) for shifts in ((), (Rotation((0.0,)),)))
    assert bare.groups.tolist() == turned.groups.tolist()
    for one, two in zip(bare.held, turned.held, strict=True):
        np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(bare.x, turned.x)
