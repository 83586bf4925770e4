"""It sits there because ...: the sentence, from the client's memory and the log."""

from __future__ import annotations

from horae.clustering.auxo import Auxo
from horae.explain.reading import born, clustering_of, explorers, home_of, leaves_of, path_of, visits_of
from horae.explain.replay import Moment, Wish, wish
from horae.report.reading import Arm, Event
from horae.report.tables import number, plural, seconds
from horae.types import UNKNOWN


def reasons(arm: Arm, client: int, moments: list[Moment], rule: Auxo | None) -> list[str]:
    """Why the client is at home where it is, in a few sentences; of a log that breaks off, where it would go."""
    home, clustering, visits = home_of(arm, client), clustering_of(arm), visits_of(arm, client)
    leaves = leaves_of(arm)
    if len(leaves) < 2:
        return [f"It sits in {home or '0'} because there is no other cohort: {_whole(arm)}."]
    if clustering == "oracle":
        return [f"It sits in {home or 'its cohort'} because the oracle knows its planted group."]
    if not visits:
        where = home or "a leaf"
        return [f"It sits in {where} by chance: it never took part, and a newcomer asks for a leaf at random."]
    if not moments or rule is None:
        there = sum(event["cohort"] == home for event in visits)
        some = f"{there} of its {plural(len(visits), 'visit')}" if home else plural(len(visits), "visit")
        return [f"Why it sits there cannot be told from this log; {some} trained there."] if home else []
    last = moments[-1]
    wanted = wish(arm, last.records, tuple(sorted(map(path_of, leaves))), rule)
    if home is None:
        return [f"It would ask for {wanted.cohort}: {_why(last, wanted, rule)}."]
    if wanted.cohort == home:
        return [f"It sits in {home} because {_why(last, wanted, rule)}.", *_arrival(arm, client, home)]
    if path_of(home)[: len(path_of(wanted.cohort))] == path_of(wanted.cohort):
        return [_stale(last, wanted, home)]
    return [f"Why it sits in {home} cannot be told: by its messages in this log it would ask for {wanted.cohort}."]


def _whole(arm: Arm) -> str:
    if clustering_of(arm) == "single":
        return "single trains one model for everybody"
    looks = arm.of("verdict")
    return f"no cohort split ({plural(len(looks), 'look')}; see --cohort 0)"


def _why(last: Moment, wanted: Wish, rule: Auxo) -> str:
    """What speaks for the cohort that it asks for."""
    cohort = wanted.cohort
    others = {name: r for name, r in last.held.items() if name != cohort and _is_leaf(last, name)}
    if cohort not in last.held:
        if rule.reward == "paper":
            return f"what it was foretold counts as a reward, and is highest there: R = {number(last.reward(cohort))}"
        return "it was an outlier wherever it went, and goes on looking where the prediction is best"
    visits = last.visits(cohort)
    here = f"it holds its highest reward for it: R = {number(last.reward(cohort))} after {plural(visits, 'visit')}"
    if not visits:
        here = f"it was told that {cohort} is its own, and expects R = {number(last.reward(cohort))} there"
    if not others:
        return f"{here}; it knows no other leaf from a visit"
    next_best = max(others, key=lambda name: (others[name], name))
    return f"{here}, against {number(others[next_best])} for {next_best}"


def _is_leaf(last: Moment, name: str) -> bool:
    """True where the client knows of no child of this cohort."""
    return not any(other.rpartition(".")[0] == name and last.records.heard[0, i] for i, other in enumerate(last.names))


def _arrival(arm: Arm, client: int, home: str) -> list[str]:
    """How it came there: counted among a split's members, told to try, as an explorer, or by its own wish."""
    split, first = born(arm, home), next((e for e in visits_of(arm, client) if e["cohort"] == home), None)
    if split is not None and client in split.get("members", {}).get(home, ()):
        when = f"when {split['cohort']} split in round {split['round']}, after {seconds(split['at_s'])}"
        return [f"It was counted among the members of {home} {when}."]
    tip = next((event for event in visits_of(arm, client) if _told(event, client) == home), None)
    if tip is not None and (first is None or tip["at_s"] < first["at_s"]):
        where = f"in round {tip['number'] + 1} of {tip['cohort']}, after {seconds(tip['at_s'])}"
        return [f"Its update there pointed to {home}, and it was told to try that {where}."]
    if first is None:
        return []
    came = explorers(first)
    how = "as an explorer" if came is not None and client in came else "by its own wish"
    if came is None or (client in came and first is visits_of(arm, client)[0]):
        how = "by chance, as a newcomer" if came is not None else "for the first time"
    return [f"It came to {home} {how}, in round {first['number'] + 1}, after {seconds(first['at_s'])}."]


def _told(event: Event, client: int) -> str | None:
    """The cohort that a round told this participant to try."""
    found: str | None = event["towards"][event["clients"].index(client)] if "towards" in event else None
    return found


def _stale(last: Moment, wanted: Wish, home: str) -> str:
    """Its request names a cohort that split since it last heard anything."""
    cluster = last.cluster(wanted.cohort)
    step = path_of(home)[len(path_of(wanted.cohort))]
    way = "and having no cluster in it, its request is passed on at random"
    if cluster != UNKNOWN:
        way = f"and its cluster in it, {cluster}, leads " + ("there" if cluster == step else "elsewhere first")
    return (
        f"It sits in {home} because it asks for {wanted.cohort}, which it takes for a leaf (it last heard of anything "
        f"after {seconds(last.event['at_s'])}): that split since, {way}."
    )
