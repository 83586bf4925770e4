"""The playground: what it draws, what it scores, and one line for a wrong option."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score, silhouette_score
from typer.testing import CliRunner

from horae.cli import app
from horae.errors import ConfigError, HoraeError
from horae.playground import Game, planted, play, silhouette
from horae.playground.game import _offset, _sample
from horae.playground.measures import adjusted_rand_index, distances

SMALL = Game(clients=120, per_round=40, rounds=60, centers=2, std=1.0, data_seed=3, at=(5, 60))
LABELS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30)


@given(LABELS)
def test_agreement_is_that_of_scikit_learn(pairs):
    a, b = (np.array(side) for side in zip(*pairs, strict=True))
    assert adjusted_rand_index(a, b) == pytest.approx(adjusted_rand_score(a, b))


def test_the_silhouette_by_hand_and_against_scikit_learn():
    # On a line: 0 and 1 in one cluster, 3 and 5 in the other. a = 1, 1, 2, 2; b = 4, 3, 2.5, 4.5; the fifth is unknown.
    points = np.array([[0.0, 0], [1, 0], [3, 0], [5, 0], [99, 0]])
    labels = np.array([0, 0, 1, 1, -1])
    expected = np.mean([3 / 4, 2 / 3, 0.5 / 2.5, 2.5 / 4.5])
    assert silhouette(distances(points), labels) == pytest.approx(expected, rel=1e-5)
    assert silhouette(distances(points), np.array([0, 0, 0, 0, -1])) is None
    rng = np.random.default_rng(0)
    points, labels = rng.normal(size=(50, 2)), rng.integers(0, 4, 50)
    labels[labels == 3] = 2
    labels[7] = 3  # alone in its cluster
    assert silhouette(distances(points), labels) == pytest.approx(silhouette_score(points, labels), rel=1e-4)


def test_the_two_nearest_centres_are_merged():
    truth = planted(1000, 4, 2.0, 100)
    middles = [truth.points[truth.groups == g].mean(axis=0) for g in range(4)]
    upper = [g for g in range(4) if middles[g][1] > 0]
    assert len(upper) == 2
    assert set(truth.merged[np.isin(truth.groups, upper)]) == {min(upper)}
    others = ~np.isin(truth.groups, upper)
    assert (truth.merged == truth.groups)[others].all()
    one = planted(20, 1, 1.0, 0)
    assert (one.merged == one.groups).all()


@pytest.mark.parametrize("options", [(1000, 4, 2.0, 100), (103, 5, 0.5, 7), (10, 1, 1.0, 0)])
def test_the_points_are_those_of_scikit_learn(options):
    clients, centers, std, seed = options
    mine = planted(*options)
    points, groups = make_blobs(n_samples=clients, centers=centers, cluster_std=std, random_state=seed)
    assert np.array_equal(mine.points, points)
    assert np.array_equal(mine.groups, groups)


def test_hard_moves_everybody_by_the_same_and_leaves_a_fifth():
    plain, hard = Game(), Game(hard=True)
    assert (_offset(plain, 3) == 0).all()
    far = np.array([_offset(hard, number) for number in range(1, 200)])
    assert 15 < far.std() < 25
    assert len(np.unique(far.round(6), axis=0)) == 199
    day = [set(_sample(Game(hard=True, per_round=1000), number).tolist()) for number in range(1, 41)]
    assert all(150 < len(there) < 250 for there in day)
    assert set.union(*day) == set(range(1000))
    assert not day[0] & day[20]  # half a day later there are others
    assert _sample(plain, 1).size == _sample(hard, 1).size == 50


def test_two_heaps_become_two_cohorts_and_the_same_seed_gives_the_same_game():
    one, other = play(SMALL), play(SMALL)
    assert one.rounds == other.rounds
    assert one.splits == other.splits
    assert one.rounds != play(Game(**{**vars(SMALL), "seed": 1})).rounds
    assert one.rounds[0]["cohorts"] == 1
    assert one.rounds[0]["clients_seen"] == 40
    assert one.rounds[0]["silhouette"] is None
    assert one.summary["cohorts"] == 2
    assert one.summary["adjusted_rand_index"] > 0.9
    assert set(one.frames) == {5, 60, *SMALL.stills}
    frame = one.frames[60]
    assert (frame.home >= 0).sum() == one.rounds[-1]["clients_seen"]


def test_an_offset_that_nobody_knows_does_not_hide_the_heaps():
    assert play(Game(**{**vars(SMALL), "hard": True, "clients": 200})).summary["adjusted_rand_index"] > 0.9


# ---------------------------------------------------------------- the command

OPTIONS = ["--clients", "60", "--per-round", "20", "--rounds", "8", "--centers", "2", "--data-seed", "3"]


def call(*args):
    result = CliRunner().invoke(app, ["playground", *args])
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def test_the_command_leaves_pictures_and_numbers(tmp_path):
    place = tmp_path / "new" / "place"
    table = json.loads(call(*OPTIONS, "--at", "8,3", "--out", str(place), "--json"))
    assert table["directory"] == str(place)
    names = {"cohorts", "adjusted_rand_index", "adjusted_rand_index_merged", "silhouette", "directory"}
    assert set(table) == names
    told = json.loads((place / "playground.json").read_text(encoding="utf-8"))
    assert [row["round"] for row in told["rounds"]] == list(range(1, 9))
    assert told["summary"] == {key: value for key, value in table.items() if key != "directory"}
    assert told["options"]["at"] == [3, 8]
    assert told["pictures"] == ["round-0003.png", "round-0008.png", "playground.gif"]
    for name in told["pictures"]:
        with Image.open(place / name) as picture:
            assert picture.width > 300
            assert getattr(picture, "n_frames", 1) == (8 if name.endswith("gif") else 1)
    assert {file.name for file in place.iterdir()} - {".lock"} == {"playground.json", *told["pictures"]}


def test_the_words_for_people(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    drawn = []
    monkeypatch.setattr("horae.playground.write_pictures", lambda played, out: drawn.extend(played.game.drawn) or [])
    text = call(*OPTIONS, "--rounds", "20")
    assert drawn == [14]  # of the default rounds the one there is
    assert "cohorts              1\n" in text
    assert "silhouette           -\n" in text
    (place,) = (tmp_path / "runs").iterdir()
    assert text.endswith(f"pictures: {place.relative_to(tmp_path)}\n")
    assert (place / "playground.json").is_file()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--clients", "1"], "--clients should be >= 2 and <= 5000, got 1"),
        (["--per-round", "1001"], "--per-round should be >= 2 and <= 1000, got 1001"),
        (["--rounds", "0"], "--rounds should be >= 1 and <= 100000, got 0"),
        (["--centers", "0"], "--centers should be >= 1 and <= 64, got 0"),
        (["--std", "nan"], "--std should be > 0 and <= 1e6, got nan"),
        (["--std", "0"], "--std should be > 0 and <= 1e6, got 0.0"),
        (["--data-seed", "-1"], "--data-seed should be >= 0 and < 2^32, got -1"),
        (["--seed", "-1"], "--seed should be >= 0 and < 2^63, got -1"),
        (["--at", "first"], "--at should be rounds such as 14,100,224, got 'first'"),
        (["--at", "14,900"], "--at should name rounds from 1 to 800, got (14, 900)"),
    ],
)
def test_a_wrong_option_is_one_line(args, words):
    result = CliRunner().invoke(app, ["playground", *args])
    assert isinstance(result.exception, ConfigError)
    assert str(result.exception) == words


def test_a_place_that_is_taken_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    result = CliRunner().invoke(app, ["playground", "--out", str(tmp_path)])
    assert isinstance(result.exception, HoraeError)
    assert str(result.exception) == f"{tmp_path} holds something already; choose another place"
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]
