"""A worker keeps a few models and no more."""

import numpy as np

from horae.data_planes.cache import FEWEST, MOST, Cache
from horae.types import Ref


def ref(key, nbytes, checksum=1):
    return Ref(key, nbytes, checksum)


def test_there_is_room_for_two_of_the_largest():
    cache, big = Cache(), FEWEST
    for key in "abc":
        cache.keep(ref(key, big), {"w": np.ones(1)})
    assert cache.find(ref("a", big)) is None
    assert cache.find(ref("b", big)) is not None
    assert cache.nbytes == 2 * big


def test_the_least_recently_used_goes_first():
    cache, big = Cache(), FEWEST
    for key in "ab":
        cache.keep(ref(key, big), {})
    cache.find(ref("a", big))
    cache.keep(ref("c", big), {})
    assert [cache.find(ref(key, big)) is None for key in "abc"] == [False, True, False]


def test_small_objects_are_bounded_by_their_number():
    cache = Cache()
    for i in range(MOST + 1):
        cache.keep(ref(str(i), 1), {})
    assert cache.nbytes == MOST
    assert cache.find(ref("0", 1)) is None


def test_another_checksum_is_another_object_and_keeping_twice_counts_once():
    cache = Cache()
    for _ in range(2):
        cache.keep(ref("a", 10), {})
    assert cache.nbytes == 10
    assert cache.find(ref("a", 10, checksum=2)) is None
    cache.forget("a")
    assert cache.nbytes == 0


def test_who_changes_the_dictionary_changes_only_its_own():
    cache = Cache()
    cache.keep(ref("a", 8), {"w": np.ones(1)})
    cache.find(ref("a", 8)).clear()
    assert list(cache.find(ref("a", 8))) == ["w"]
