"""The census among clients at sites: what the coordinator relays, who may fall out, and what it never sees."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
import sites
from hypothesis import given
from hypothesis import strategies as st

from horae.alignment import Halor
from horae.census import Kind, Log, Terms
from horae.census import messages as m
from horae.census.vault import Held
from horae.engines import members
from horae.engines.members import Deliver, delivered, kept_in, read, written
from horae.engines.relaying import Relay, apart
from horae.errors import RunError
from horae.population import Population, part

CLIENTS = 14
TERMS = Terms(labels=4)
EVERYBODY = frozenset(range(CLIENTS))
FIRSTS = np.array([0, 3, 7, 8])


@lru_cache
def counts():
    """Client c's labels: numbers that are nobody else's."""
    return np.array([[40 + c, 3 * c + 1, 90 - 2 * c, 17 + 5 * c] for c in range(CLIENTS)])


@lru_cache
def parts():
    """Four sites with 3, 4, 1 and 6 clients."""
    found, ends = [], [*FIRSTS[1:].tolist(), CLIENTS]
    for first, end in zip(FIRSTS.tolist(), ends, strict=True):
        pairs = [np.repeat(np.arange(4), row) for row in counts()[first:end]]
        people = Population.from_arrays([(np.zeros((len(y), 1)), y) for y in pairs], test_fraction=0.0)
        found.append(part(people, first, CLIENTS, 4))
    return found


class Away:
    """Sites in this process, each with a vault of its own. silent: sites that do not answer, by exchange from 1."""

    def __init__(self, aligned=None, silent=(), bend=None):
        self.plan, self.silent = sites.plan(alignment=aligned or Halor()), set(silent)
        self.vaults = [Held({}) for _ in FIRSTS]
        self.bend = bend or (lambda site, answer: answer)
        self.seen, self.notes, self.asked = [], [], 0
        self.relay = Relay(self, lambda clients: np.searchsorted(FIRSTS, clients, "right") - 1, self.notes.append)

    def __call__(self, asked):
        self.asked += 1
        return [self._answer(one) for one in asked]

    def _answer(self, one):
        assert one.models == {}
        self.seen.append((one.site, one.work, None))
        if (one.site, self.asked) in self.silent:
            return None
        with kept_in(self.vaults[one.site]):
            found = delivered(one.work, self.plan, parts()[one.site], 0.0)
        self.seen.append((one.site, None, found))
        return self.bend(one.site, found)

    def count(self, rows=(EVERYBODY,), terms=TERMS, epoch=1, log=None):
        return self.relay.count(list(rows), terms, epoch, Log() if log is None else log)


def total(clients=range(CLIENTS)):
    return counts()[sorted(clients)].sum(axis=0).tolist()


# ---------------------------------------------------------------- what comes out


@pytest.mark.parametrize(("transport", "exchanges"), [("star", 5), ("chain", CLIENTS + 4)])
def test_the_sum_in_as_few_exchanges_as_the_protocol_has_steps(transport, exchanges):
    away = Away()
    (result,) = away.count(terms=replace(TERMS, transport=transport))
    assert (result.status, result.totals.tolist(), result.attempts) == ("released", total(), 1)
    assert away.asked == away.relay.exchanges == exchanges and away.notes == []
    assert all(not name.endswith(".attempt") for vault in away.vaults for name in vault.items)


def test_members_refuse_the_terms_of_an_operator_that_would_count_fewer():
    away, log = Away(), Log()
    rows = [frozenset(range(7)), frozenset(range(7, 14))]
    results = away.count(rows, replace(TERMS, n_min=3), log=log)
    assert [r.status for r in results] == ["aborted"] * 2 and log.rows == []
    assert {note.why.split(":")[0] for note in away.notes} == {"it left (terms)"} and len(away.notes) == CLIENTS


def test_two_epochs_of_the_same_members():
    away, log = Away(), Log()
    for epoch in (1, 2):
        (result,) = away.count(epoch=epoch, log=log)
        assert result.totals.tolist() == total()
    assert log.rows == [EVERYBODY] * 2 and away.asked == 10


def test_with_noise_both_ends_have_the_same_terms():
    terms = replace(TERMS, noise=20.0, most=5000)
    (result,) = Away(Halor(noise=20.0)).count(terms=terms)
    off = np.abs(np.array(result.totals) - total())
    assert result.status == "released" and off.max() < 8 * 20 * np.sqrt(CLIENTS / 10) and off.any()


# ---------------------------------------------------------------- who falls out


@pytest.mark.parametrize(
    ("exchange", "who"), [(1, range(3, 14)), (2, range(3, 14)), (3, range(3, 14)), (4, range(14)), (5, range(14))]
)
def test_a_site_that_does_not_answer_has_dropped_out(exchange, who):
    """Before its vector came it is not in the total; later it is, and the others' shares take its mask off."""
    (result,) = Away(silent={(0, exchange)}).count()
    assert (result.status, result.totals.tolist()) == ("released", total(who))
    assert result.survivors == tuple(who) and result.attempts == 1


def test_too_few_left_is_a_refused_total():
    away = Away(silent={(3, 3)})  # six of fourteen
    (result,) = away.count()
    assert (result.status, result.totals) == ("aborted", None) and "8 " in result.reason
    # what was begun is ended: nobody but those who are gone has secrets left
    left = [site for site, vault in enumerate(away.vaults) if any(n.endswith(".attempt") for n in vault.items)]
    assert left == [3]


def test_a_member_that_lost_its_state_falls_out():
    away = Away()
    ask = away.__call__

    def losing(asked):
        if away.asked == 2:
            away.vaults[2].items.pop("member-7.attempt")
        return ask(asked)

    away.relay._exchange = losing
    (result,) = away.count()
    assert result.totals.tolist() == total(EVERYBODY - {7}) and result.dropped == (7,)
    assert [(note.client, note.kind) for note in away.notes] == [(7, "census")]


def test_a_member_with_another_key_is_left_out_and_named():
    away, log = Away(), Log()
    away.count(log=log)
    away.vaults[2].items.clear()
    (result,) = away.count(epoch=2, log=log)  # 14, then 13: the members refuse, as they should
    assert result.status == "refused" and "would tell 1 of all apart" in result.reason
    assert away.notes[0].client == 7 and away.notes[0].why == "its key is another than before"


@pytest.mark.parametrize("bend", [
    lambda answer: {}, lambda answer: {**answer, "more": answer["keys"]},
    lambda answer: {**answer, "sizes": answer["sizes"] + 1}, lambda answer: {**answer, "rows": answer["rows"] + 9},
    lambda answer: {**answer, "keys": answer["keys"][:, :31]}, lambda answer: {**answer, "sizes": -answer["sizes"]},
    lambda answer: {**answer, "rows": answer["rows"].astype(np.float64)},
])  # fmt: skip
def test_a_site_that_answers_nonsense_falls_out(bend):
    away = Away(bend=lambda site, answer: bend(answer) if site == 1 else answer)
    (result,) = away.count()
    assert result.totals.tolist() == total(EVERYBODY - {3, 4, 5, 6})
    assert [note.why for note in away.notes] == ["its site's answer cannot be read"]


@pytest.mark.parametrize(("kind", "status"), [(Kind.KEYS, "released"), (Kind.CARRY, "aborted")])
def test_a_message_that_is_changed_on_its_way_spoils_a_total_at_most(kind, status):
    """Keys that nobody signed are not taken; a vector that was changed makes a sum that does not hold."""

    def bend(site, answer):
        if site != 2 or not answer["letters"].size or m.read(answer["letters"].tobytes()).kind is not kind:
            return answer
        letters = answer["letters"].copy()
        letters[-1] ^= 1
        return {**answer, "letters": letters}

    away = Away(bend=bend)
    (result,) = away.count()
    assert result.status == status and result.attempts == (1 if status == "released" else 3)
    assert result.totals is None if status == "aborted" else result.totals.tolist() == total(EVERYBODY - {7})


@given(st.lists(st.tuples(st.binary(min_size=32, max_size=32), st.lists(st.binary(max_size=9), max_size=3)),
                min_size=1, max_size=4))  # fmt: skip
def test_replies_are_read_as_they_were_written(said):
    assert read(written(said), len(said)) == said


# ---------------------------------------------------------------- what the coordinator sees


KINDS = ("<i8", "<u4", "<u2", "<u1", "<f4", "<f8", ">i8", ">u4")


def octets(value):
    """All bytes of a question or an answer."""
    table = vars(value) if isinstance(value, Deliver) else value
    flat = [a for item in table.values() for a in (item if isinstance(item, tuple) else (item,))]
    return b"".join(np.asarray(a).tobytes() for a in flat)


def tells(data):
    """Clients whose counts are in these bytes, as numbers of any usual kind."""
    return {c for c, row in enumerate(counts()) if any(row.astype(kind).tobytes() in data for kind in KINDS)}


@pytest.mark.parametrize("silent", [(), {(2, 3)}, {(2, 4)}])
def test_no_clients_counts_pass_the_coordinator(silent):
    away = Away(silent=silent)
    (result,) = away.count()
    assert result.status == "released"
    for _, work, answer in away.seen:
        assert tells(octets(work if answer is None else answer)) == set()
    clear = {"rows": counts()[3:7]}
    assert tells(octets(clear)) == {3, 4, 5, 6}  # it would be found


def test_what_one_client_sends_is_as_random_as_can_be():
    """Its masked words say nothing: the same counts look different every time, and bits are ones half of the time."""
    words, away, log = [], Away(), Log()
    for epoch in (1, 2, 3):
        away.seen.clear()
        assert away.count(epoch=epoch, log=log)[0].status == "released"
        for site, _, answer in away.seen:
            for _, letters in read(answer, 6) or [] if answer is not None and site == 3 else []:
                words += [m.read(x).body[4:] for x in letters if m.read(x).kind is Kind.CARRY]
    assert len(words) == len(set(words)) == 18
    bits = np.unpackbits(np.frombuffer(b"".join(words), np.uint8))
    assert abs(bits.mean() - 0.5) < 5 * 0.5 / np.sqrt(bits.size)  # five standard deviations


def test_members_secrets_stay_in_their_vaults():
    away, secrets = Away(), set()
    plain = members.Kept.hear

    def hear(self, letters, directory):
        found = plain(self, letters, directory)
        secrets.add(self._identity.secret())
        if "session" in (state := self.member.freeze()):
            secrets.update(state["session"]["secrets"])
        return found

    members.Kept.hear = hear
    try:
        away.count()
    finally:
        members.Kept.hear = plain
    assert len(secrets) == 4 * CLIENTS  # a long-term key each, and three secrets of the attempt
    seen = b"".join(octets(work if answer is None else answer) for _, work, answer in away.seen)
    assert not any(secret in seen for secret in secrets)


def test_a_site_goes_by_its_own_experiment():
    work = Deliver(np.array([7]), np.zeros(16, np.uint8), 0, (np.zeros(0, np.uint8),), ((),), np.zeros(0, np.int64),
                   np.zeros((0, 32), np.uint8))  # fmt: skip
    for plan in (sites.plan(), sites.plan(alignment=Halor(protocol="sum"))):
        with pytest.raises(RunError, match="this experiment has nobody counted"):
            delivered(work, plan, parts()[2], 0.0)
    with pytest.raises(RunError, match="a census that is none"):
        delivered(replace(work, run=np.zeros(3, np.uint8)), sites.plan(alignment=Halor()), parts()[2], 0.0)


# ---------------------------------------------------------------- who is counted at the same time


def test_rows_that_history_ties_together_are_counted_one_after_the_other():
    a, b, c = (frozenset(range(i, i + 10)) for i in (0, 10, 20))
    assert apart([a, b, c], ()) == apart([a, b, c], [a, c]) == [[a, b, c]]
    assert apart([a, b, c], [frozenset({9, 10})]) == [[a, c], [b]]
    assert apart([a, b, c], [frozenset({9, 40}), frozenset({40, 20})]) == [[a, b], [c]]


@given(st.lists(st.frozensets(st.integers(0, 40), min_size=1), max_size=8))
def test_every_row_is_in_one_wave(history):
    rows = [frozenset(range(i, i + 10)) for i in (0, 10, 20, 30)]
    waves = apart(rows, history)
    assert sorted((row for wave in waves for row in wave), key=min) == rows
    for wave in waves:
        for row in history:
            assert sum(not row.isdisjoint(one) for one in wave) <= 1
