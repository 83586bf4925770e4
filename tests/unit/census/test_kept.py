"""Members that sleep between messages: as the live ones, byte for byte, and no secret stays behind."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from horae.census import Coordinator, Identity, Kind, Log, Member, Terms, World, kept, vault
from horae.census import messages as m
from horae.census.kept import Kept
from horae.census.vault import AGE_S, ATTEMPT, Folder, Held
from horae.errors import RunError
from horae.pure.packing import pack, unpack

TERMS, RUN = Terms(labels=3), b"run"


class Sleeper:
    """A member that is frozen to bytes after every message, and thawed for the next."""

    def __init__(self, member):
        self._made = lambda: Member(
            member.client, member._identity, member.terms, world_run, member._directory, member._counts,
            member.auditor, member._source,
        )  # fmt: skip
        world_run = b"local"
        self.auditor, self._kept = member.auditor, pack(kept._plain(member.freeze()))

    def receive(self, data):
        member = self._made()
        member.thaw(kept._bytes(unpack(self._kept)))
        said = member.receive(data)
        self._kept = pack(kept._plain(member.freeze()))
        return said


def traffic(counts, terms, drops, sleepers, epochs=2):
    """Every message of two epochs, in order, and the totals."""
    world, seen = World(terms, seed=5), []
    world.hold(counts)
    for client in sleepers:
        world.members[client] = Sleeper(world.members[client])
    results = [
        world.count(drops=drops if epoch else {}, watch=lambda *said: seen.append(said) or said[2])
        for epoch in range(epochs)
    ]
    return seen, [(r.status, None if r.totals is None else r.totals.tolist(), r.survivors) for r in results]


@settings(max_examples=8, deadline=None)
@given(
    st.integers(10, 14), st.sampled_from(["star", "chain"]), st.sampled_from([0.0, 8.0]), st.data()
)  # fmt: skip
def test_a_frozen_and_thawed_member_says_what_the_live_one_says(n, transport, noise, data):
    terms = Terms(labels=3, transport=transport, noise=noise, most=100 if noise else 0)
    counts = {c: [c, 2 * c, 1] for c in range(n)}
    drops = data.draw(st.dictionaries(st.integers(0, n - 1), st.sampled_from(
        [Kind.INVITE, Kind.ROSTER, Kind.TURN, Kind.OUTCOME, Kind.WITNESSES]), max_size=2))  # fmt: skip
    sleepers = data.draw(st.sets(st.integers(0, n - 1)))
    assert traffic(counts, terms, drops, sleepers) == traffic(counts, terms, drops, ())


# ---------------------------------------------------------------- in a vault


def census(vaults, counts, run=RUN, epoch=1, log=None, spy=None, drops=(), lie=None):
    """One epoch among members in vaults, each woken for every message. lie: keys as the operator says."""
    directory = {c: b"" for c in counts}
    operator = Coordinator(TERMS, run, directory, epoch, log or Log())
    queue = operator.start(0.0)
    while queue or operator.result is None:
        if not queue:
            queue += operator.tick(operator.deadline)
            continue
        client, data = queue.pop(0)
        if (client, m.read(data).kind) in drops:
            queue += operator.gone(client, 0.0)
        if client in operator._gone:
            continue
        member = Kept(vaults[client], client, run, TERMS, np.array(counts[client]))
        directory[client] = directory[client] or member.public
        replies = member.hear([data], {**directory, **(lie or {})} if m.read(data).kind is Kind.ROSTER else {})
        if spy is not None:
            spy(client, data, replies)
        for reply in replies:
            queue += operator.receive(client, reply, 0.0)
    return operator.result


def people(n=12):
    return {c: Held({}) for c in range(n)}, {c: [c, 1, 0] for c in range(n)}


def test_members_in_vaults_release_the_sum_and_forget_their_secrets():
    vaults, counts = people()
    kinds = set()
    result = census(vaults, counts, spy=lambda c, data, _: kinds.add((m.read(data).kind, f"member-{c}{ATTEMPT}" in
                                                                      vaults[c].items)))  # fmt: skip
    assert result.totals.tolist() == [66, 12, 0]
    first = [Kind.INVITE, Kind.ROSTER, Kind.INBOX, Kind.TURN, Kind.OUTCOME]
    ends = {(Kind.WITNESSES, False), (Kind.CLOSE, False)}
    assert kinds == {(kind, True) for kind in first} | ends
    assert all(list(v.items) == [f"member-{c}.key"] for c, v in vaults.items())


def test_counts_are_never_written_down():
    vaults, _ = people()
    counts = {c: [1000 + c, 2000 + c, 3000 + c] for c in vaults}
    written = []
    for one in vaults.values():
        one.write = lambda name, data, into=one.items: (written.append(data), into.__setitem__(name, data))
    census(vaults, counts)
    for row in counts.values():
        for kind in ("<i8", "<u8", "<i4", "<u2", "<f8"):
            assert not any(np.array(row, kind).tobytes() in data for data in written)
        assert not any(str(row)[1:-1].replace(" ", "").encode() in data for data in written)


def test_the_same_message_again_is_not_answered():
    """What came back is lost and asked for again: one share of each, and no second vector."""
    vaults, counts = people()
    heard = []
    census(vaults, counts, spy=lambda c, data, said: heard.append((c, data)))
    for client, data in heard:
        member = Kept(vaults[client], client, RUN, TERMS, np.array(counts[client]))
        assert member.hear([data], {}) == []


def test_another_key_later_is_not_believed():
    vaults, counts = people()
    log = Log()
    assert census(vaults, counts, log=log).status == "released"
    stranger = Identity().public
    again = census(vaults, counts, epoch=2, log=log, lie={3: stranger})
    assert again.status == "released"  # what the operator says now changes nothing: the first key is known
    vaults[3] = Held({})  # and who has lost its key is nobody that the others know
    lost = census(vaults, counts, epoch=3, log=log)
    assert lost.status == "aborted"
    assert {(why, words) for c, why, words in lost.refusals if c != 3} == {("roster", "keys that 3 did not sign")}


def test_what_was_released_is_not_forgotten_in_another_run():
    """12 in one run, 11 in the next: the difference would be member 5's own counts."""
    vaults, counts = people()
    assert census(vaults, counts).status == "released"
    del counts[5]
    result = census(vaults, counts, run=b"another", log=Log())
    assert result.status == "refused" and "would tell 1 of all apart" in result.reason


@pytest.mark.parametrize("kind", [Kind.TURN, Kind.OUTCOME])
def test_who_drops_out_keeps_its_secrets_for_hours_only(kind, monkeypatch):
    vaults, counts = people()
    result = census(vaults, counts, drops={(4, kind)})
    name = f"member-4{ATTEMPT}"
    assert result.totals.tolist() == ([62, 11, 0] if kind is Kind.TURN else [66, 12, 0])
    assert name in vaults[4].items
    assert Kept(vaults[4], 4, RUN, TERMS, np.array(counts[4])).member.stage in ("ready", "carried")
    now = kept.time.time()
    monkeypatch.setattr(kept.time, "time", lambda: now + AGE_S + 1)
    late = Kept(vaults[4], 4, RUN, TERMS, np.array(counts[4]))
    assert late.member.stage == "idle"
    late.hear([m.write(Kind.CLOSE, 1, 0, b"\x01")], {})
    assert name not in vaults[4].items


def test_a_damaged_member_is_one_line():
    with pytest.raises(RunError, match=r"member-1\.key, a census's member, is damaged; remove it"):
        Kept(Held({"member-1.key": b"\x00" * 40}), 1, RUN, TERMS, np.array([1, 2, 3]))


# ---------------------------------------------------------------- folders


def test_a_folder_is_its_owners_alone(tmp_path):
    folder = Folder(tmp_path / "state" / "census")
    with folder.alone():
        folder.write("a.key", b"1")
        folder.write("a.key", b"2")
        assert (folder.read("a.key"), folder.read("b.key")) == (b"2", b"")
    place = tmp_path / "state" / "census"
    assert place.stat().st_mode & 0o777 == 0o700 and (place / "a.key").stat().st_mode & 0o777 == 0o600
    assert not list(place.glob("*.part"))
    folder.drop("a.key")
    folder.drop("a.key")
    assert folder.read("a.key") == b""


def test_a_folder_that_others_can_look_into_is_refused(tmp_path):
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "link").symlink_to(tmp_path / "open")
    for name in ("open", "link"):
        with pytest.raises(RunError, match="should be a directory that only its owner can look into"):
            Folder(tmp_path / name)
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write"):
        Folder(tmp_path / "file" / "census")


def test_secrets_that_are_too_old_are_removed(tmp_path):
    folder = Folder(tmp_path / "census")
    with folder.alone():
        folder.write(f"a{ATTEMPT}", b"1")
        folder.write("a.key", b"1")
    old = vault.time.time() - AGE_S - 1
    for name in (f"a{ATTEMPT}", "a.key"):
        vault.os.utime(tmp_path / "census" / name, (old, old))
    with folder.alone():
        assert (folder.read(f"a{ATTEMPT}"), folder.read("a.key")) == (b"", b"1")


def test_what_killed_runs_left_is_removed_in_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(vault.tempfile, "gettempdir", lambda: str(tmp_path))
    places = [vault.temporary(run) for run in (b"mine", b"fresh", b"old")]
    for place in places:
        Folder(place).write(f"a{ATTEMPT}", b"1")
    long_ago = vault.time.time() - vault.LEFT_S - 1
    vault.os.utime(places[2], (long_ago, long_ago))
    vault.remove(b"mine")
    assert [place.exists() for place in places] == [False, True, False]
