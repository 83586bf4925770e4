"""Who is isolated by what is released: against exact rational elimination, and the stories of the note."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from horae.census import Auditor, Groups, Log


def isolated_exactly(rows, clients):
    """The clients whose unit vector is in the rational row space: those that are rows of the reduced echelon form."""
    matrix = [[Fraction(client in row) for client in range(clients)] for row in rows]
    done = 0
    for column in range(clients):
        pivot = next((i for i in range(done, len(matrix)) if matrix[i][column]), None)
        if pivot is None:
            continue
        matrix[done], matrix[pivot] = matrix[pivot], matrix[done]
        matrix[done] = [x / matrix[done][column] for x in matrix[done]]
        for i in range(len(matrix)):
            if i != done and matrix[i][column]:
                matrix[i] = [x - matrix[i][column] * y for x, y in zip(matrix[i], matrix[done], strict=True)]
        done += 1
    return {row.index(1) for row in matrix if sorted(row)[-1] == 1 and sum(x != 0 for x in row) == 1}


@given(st.lists(st.frozensets(st.integers(0, 8), min_size=1), min_size=1, max_size=9))
def test_as_fractions_say(rows):
    *before, last = rows
    assert Auditor(before).isolated(last) == isolated_exactly(rows, 9)


def test_asking_changes_nothing():
    auditor = Auditor([range(20)])
    assert auditor.isolated(frozenset(range(19))) == {19}
    assert auditor.isolated(frozenset(range(20))) == frozenset()


def test_three_rows_worked_out_by_hand():
    # {1,2}, {2,3}, {1,3}: half of (first - second + third) is client 1, and so on; each pair alone tells nobody
    auditor = Auditor([{1, 2}, {2, 3}])
    assert auditor.isolated(frozenset({1, 3})) == {1, 2, 3}


def test_everybody_but_a_few_gives_clients_away_and_sticky_groups_never_do():
    draw = np.random.default_rng(0)
    auditor, epochs = Auditor(), 0
    while True:  # of 100 each stays away with probability 1 %
        epochs += 1
        row = frozenset(np.flatnonzero(draw.random(100) >= 0.01).tolist())
        if auditor.isolated(row):
            break
        auditor.opened(row)
    assert epochs <= 5
    groups = Groups(20).joined(range(100))
    sticky = Auditor()
    for epoch in range(120):
        for group in groups.whole([c for c in range(100) if c not in draw.choice(100, 2)]):
            assert not sticky.isolated(group), epoch
            sticky.opened(group)


def test_the_log_is_a_chain():
    log, same, other = Log([{1, 2}, {3}]), Log([{2, 1}, {3}]), Log([{3}, {1, 2}])
    assert log.head == same.head != other.head
    assert log.head != Log([{1, 2, 3}]).head


def test_thousands_of_columns_are_quick_enough():
    auditor = Auditor()
    for start in range(60):
        auditor.opened(frozenset(range(start, start + 900, 1)))
    assert auditor.isolated(frozenset(range(1000))) == frozenset()
    assert 0 in auditor.isolated(frozenset(range(1, 900)))
