"""Sticky groups, and who waits for company."""

import pytest

from horae.census import Auditor, Groups, least_delay
from horae.errors import ConfigError


def test_sticky_groups_are_whole_or_wait():
    groups = Groups(10, seed=3).joined(range(35))
    assert [len(group) for group in groups.groups] == [10, 10, 10]
    assert len(groups.waiting) == 5
    later = groups.joined(range(35, 41))
    assert later.groups[:3] == groups.groups and groups.waiting <= later.groups[3] | later.waiting
    assert groups.whole(groups.groups[1] | {99}) == [groups.groups[1]]
    assert Groups(10, seed=3).joined(range(35)) == groups
    with pytest.raises(ConfigError, match=r"census.group should have at least 3 members, got 2"):
        Groups(2)


def test_comings_and_goings_wait_for_company():
    auditor = Auditor([range(20)])
    one = least_delay(auditor, range(21), fresh=[20])
    assert one is not None and one.waiting == {20}
    two = least_delay(auditor, range(22), fresh=[20, 21])
    assert two is not None and two.waiting == frozenset()  # their sum is told, neither of them
    left = least_delay(auditor, range(19))
    assert left is not None and len(left.waiting) == 1  # somebody waits with whoever left
    assert least_delay(auditor, range(5)) is None  # fewer than n_min
