"""Who is harmed, and what becomes of labels, records and claims."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from horae.errors import ConfigError
from horae.experiment import load
from horae.population import Population
from horae.population.harm import Harm, false_claims, poison, renamed
from horae.types import Wishes


def people(n=40, classes=3):
    rng = np.random.default_rng(0)
    return Population.from_arrays([(rng.normal(size=(10, 2)), np.arange(10) % classes) for _ in range(n)])


# ---------------------------------------------------------------- who


def test_nobody_is_harmed_unless_it_is_asked_for():
    everybody = np.arange(1000)
    calm = Harm()
    assert not calm.on
    assert not (calm.poisons(everybody, 0) | calm.forgets(everybody, 0) | calm.lies(everybody, 0)).any()
    assert calm.honest(everybody, 0).all()


def test_who_is_harmed_follows_from_seed_and_id_alone():
    harm, many = Harm(poisoned=0.25, lost_affinity=0.5, false_claims=0.1), np.arange(20_000)
    shares = [ask(many, 3).mean() for ask in (harm.poisons, harm.forgets, harm.lies)]
    np.testing.assert_allclose(shares, [0.25, 0.5, 0.1], atol=0.015)  # four standard deviations of 0.0035
    some = np.array([9_999_999, 17])
    assert harm.poisons(some, 3).tolist() == [harm.poisons(some[:1], 3)[0], harm.poisons(many, 3)[17]]
    assert (harm.poisons(many, 3) != harm.poisons(many, 4)).any()
    # The three are independent: both of 0.25 and 0.5 are 0.125.
    assert abs((harm.poisons(many, 3) & harm.forgets(many, 3)).mean() - 0.125) < 0.01


def test_honest_is_who_neither_poisons_nor_lies():
    harm, many = Harm(poisoned=0.3, lost_affinity=0.5, false_claims=0.2), np.arange(500)
    expected = [not (p or f) for p, f in zip(harm.poisons(many, 0), harm.lies(many, 0), strict=True)]
    assert harm.honest(many, 0).tolist() == expected
    assert 0 < sum(expected) < 500


def test_counting_goes_by_blocks():
    harm, total = Harm(poisoned=0.1), 70_000  # more than one block of 65,536
    counts = harm.counts(total, 5)
    assert counts["poisoned"] == harm.poisons(np.arange(total), 5).sum() > 0
    assert (counts["lost_affinity"], counts["false_claims"]) == (0, 0)
    assert counts["honest"] == total - counts["poisoned"]


@pytest.mark.parametrize("field", ["poisoned", "lost_affinity", "false_claims"])
@pytest.mark.parametrize("value", [-0.1, 1.0, float("nan")])
def test_a_share_that_is_none_is_refused(field, value):
    with pytest.raises(ConfigError, match=rf"harm.{field} should be in \[0, 1\)"):
        Harm(**{field: value})


# ---------------------------------------------------------------- labels


def test_poisoned_clients_train_on_renamed_copies_and_everybody_else_on_what_it_had():
    clean, harm = people(), Harm(poisoned=0.3)
    spoilt = poison(clean, harm, 7)
    bad = harm.poisons(np.arange(40), 7)
    assert 0 < bad.sum() < 40
    assert len(spoilt.x) == len(spoilt.y) == 400 + 8 * bad.sum()  # ten samples each, eight of them for training
    np.testing.assert_array_equal(spoilt.x[:400], clean.x)
    np.testing.assert_array_equal(spoilt.y[:400], clean.y)
    for client in range(40):
        mine, was = spoilt.train.row(client), clean.train.row(client)
        np.testing.assert_array_equal(spoilt.x[mine], clean.x[was])
        np.testing.assert_array_equal(spoilt.test.row(client), clean.test.row(client))
        if bad[client]:
            assert mine.min() >= 400
            assert (spoilt.y[mine] != clean.y[was]).any()
            pairs = set(zip(clean.y[was].tolist(), spoilt.y[mine].tolist(), strict=True))
            assert len(pairs) == 3 == len({new for _, new in pairs})  # one new name for each old one
        else:
            np.testing.assert_array_equal(mine, was)


def test_samples_that_others_share_keep_their_labels():
    clean = load(None).parts["population"].build(0)  # clients draw from the same 7,188 images
    spoilt = poison(clean, Harm(poisoned=0.1), 0)
    assert (spoilt.y[: len(clean.y)] == clean.y).all()
    assert len(spoilt.y) < 1.2 * len(clean.y)


def test_without_poison_it_is_the_same_object():
    clean = people()
    assert poison(clean, Harm(lost_affinity=0.5), 0) is clean
    assert poison(clean, Harm(poisoned=1e-12), 0) is clean  # and where the dice hit nobody


@settings(max_examples=40)
@given(st.integers(2, 12), st.integers(0, 2**31), st.integers(0, 10**7))
def test_renaming_is_a_permutation_other_than_the_identity_and_lasts(classes, seed, client):
    names = renamed(np.arange(classes), classes, seed, client)
    assert sorted(names.tolist()) == list(range(classes))
    assert names.tolist() != list(range(classes))
    np.testing.assert_array_equal(names, renamed(np.arange(classes), classes, seed, client))


def test_clients_that_are_worked_out_on_demand_cannot_be_poisoned_but_can_forget_and_lie():
    table = {"population": {"name": "virtual", "clients": 10**7}, "harm": {"poisoned": 0.1}, "budget": {"bytes": 1}}
    with pytest.raises(ConfigError, match=r"harm.poisoned should be 0 for clients whose samples are worked out") as why:
        load(table).world()
    assert "\n" not in str(why.value)
    other = load(table | {"harm": {"lost_affinity": 0.1, "false_claims": 0.1}}).world()
    assert other.harm == Harm(lost_affinity=0.1, false_claims=0.1)


def test_one_label_cannot_be_renamed():
    with pytest.raises(ConfigError, match="only one label"):
        poison(people(classes=1), Harm(poisoned=0.5), 0)


# ---------------------------------------------------------------- claims

LEAVES = ((0,), (1,), (2,))


def wishes(n, paths=LEAVES):
    return Wishes(paths, np.arange(n) % len(paths), np.full(n, 0.4), np.arange(n) % 2 == 0, np.full(n, 7))


def asked(made):
    return [made.paths[i] for i in made.choice.tolist()]


def test_a_liar_asks_for_a_leaf_that_is_not_its_own_with_a_claim_of_one_and_others_as_before():
    said, clients = wishes(60), np.arange(60)
    own, liars = np.arange(60) % 3, np.arange(60) < 30
    made = false_claims(said, LEAVES, own, liars, clients, 0)
    assert asked(made)[30:] == asked(said)[30:]
    assert all(path != LEAVES[i] for path, i in zip(asked(made)[:30], own, strict=False))
    assert set(asked(made)[:30]) == set(LEAVES)  # not all the same
    assert made.claims.tolist() == [1.0] * 30 + [0.4] * 30
    assert not made.exploring[:30].any()
    np.testing.assert_array_equal(made.exploring[30:], said.exploring[30:])
    np.testing.assert_array_equal(made.nbytes, said.nbytes)


def test_a_lie_lasts_while_other_cohorts_split_and_whoever_else_is_asked():
    clients, liars = np.arange(50), np.ones(50, bool)
    own = np.zeros(50, np.int64)
    before = asked(false_claims(wishes(50), LEAVES, own, liars, clients, 1))
    later = ((0,), (1,), (2, 0), (2, 1))
    after = asked(false_claims(wishes(50), later, own, liars, clients, 1))
    stay = [i for i in range(50) if before[i] == (1,) and after[i] == (1,)]
    assert stay, "some keep to (1,)"
    assert all(after[i] in ((1,), (2, 0), (2, 1)) for i in range(50))
    alone = false_claims(wishes(1), LEAVES, own[:1], liars[:1], clients[9:10], 1)
    assert asked(alone)[0] == before[9]


def test_where_there_is_one_leaf_nobody_can_lie():
    said = wishes(4, ((),))
    assert false_claims(said, ((),), np.zeros(4, np.int64), np.ones(4, bool), np.arange(4), 0) is said
