"""MovieLens."""

import zlib

import numpy as np
import pytest
from refusing import REAL, held, refused

from horae.population.readers.movielens import GENRES, MovieLens, movielens_pool

RATINGS = "userId,movieId,rating,timestamp\n7,10,4.0,1\n7,20,0.5,2\n3,10,5.0,3\n3,20,1.5,4\n3,30,2.0,5\n"
MOVIES = 'movieId,title,genres\n10,"One, Two (1999)",Comedy|Drama\n20,Three,IMAX\n30,Four,(no genres listed)\n'


@pytest.fixture
def small(tmp_path):
    here = tmp_path / "ml-latest-small"
    here.mkdir()
    (here / "ratings.csv").write_text(RATINGS)
    (here / "movies.csv").write_text(MOVIES)
    return here


def film(number, features=8192):
    return 21 + zlib.crc32(str(number).encode()) % (features - 21)


def test_a_user_is_a_client_and_a_film_a_row_of_features(small):
    pool = movielens_pool(small)
    comedy, drama = GENRES.index("Comedy") + 1, GENRES.index("Drama") + 1
    assert pool.x.tolist() == [
        [film(10), comedy, drama],
        [film(20), GENRES.index("IMAX") + 1, 0],
        [film(10), comedy, drama],
        [film(20), GENRES.index("IMAX") + 1, 0],
        [film(30), len(GENRES), 0],
    ]
    assert pool.x.dtype == np.int32
    assert pool.y.tolist() == [4, 0.5, 5, 1.5, 2]
    assert pool.y.dtype == np.float32
    assert pool.owners.tolist() == [1, 1, 0, 0, 0]
    assert (pool.task, pool.classes) == ("regression", 1)
    people = MovieLens(test_fraction=0.5).build(0, small.parent)
    assert [sorted(held(people, i)) for i in range(2)] == [[2, 3, 4], [0, 1]]
    assert "not commercial" in people.licence


def test_without_genres_a_film_is_one_feature(small):
    (small / "movies.csv").unlink()
    assert movielens_pool(small, 100).x.tolist() == [[film(n, 100)] for n in (10, 20, 10, 20, 30)]


def test_ml_100k_reads_the_same(tmp_path):
    flags = ["0"] * 19
    flags[5] = "1"  # Comedy
    (tmp_path / "u.data").write_text("196\t242\t3\t881250949\n186\t242\t5\t891717742\n")
    (tmp_path / "u.item").write_bytes(
        "242|Kolyá (1996)|24-Jan-1997||http://x|".encode("latin-1") + "|".join(flags).encode()
    )
    pool = movielens_pool(tmp_path)
    assert pool.x.tolist() == [[film(242), GENRES.index("Comedy") + 1]] * 2
    assert pool.y.tolist() == [3, 5]
    assert pool.owners.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (RATINGS + "3,x,1.0,1\n", "is broken"),
        (RATINGS + "3,40\n", "is broken"),
        (RATINGS + "3,40,5.5,1\n", "row 7: should hold user, film and 0.5 to 5 stars, got 3, 40, 5.5"),
        (RATINGS.replace("7,20", "-7,20"), "row 3: should hold user"),
        ("a,b,c\n1,2,3\n", "should begin with userId,movieId,rating, got a,b,c"),
        ("", "should begin with userId"),
        ("userId,movieId,rating,timestamp\n", "holds no rating"),
    ],
)
def test_broken_ratings_are_one_line(small, text, words):
    (small / "ratings.csv").write_text(text)
    with refused("ratings.csv", words):
        movielens_pool(small)


def test_broken_films_and_missing_files_are_one_line(small):
    (small / "movies.csv").write_text("movieId,title,genres\n1,Two\n")
    with refused("movies.csv, row 2: should hold movieId,title,genres"):
        movielens_pool(small)
    assert "ratings.csv is missing; put MovieLens's ratings" in MovieLens(directory="none").missing(small)


@pytest.mark.skipif(not (REAL / "ml-latest-small").is_dir(), reason="ml-latest-small is not in the data directory")
def test_the_real_thing():
    people = MovieLens().build(0, REAL)
    assert people.clients == 671
    assert len(people.x) == 100_004
    assert people.train.most + people.test.most > 2000
