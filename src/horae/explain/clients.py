"""Why a client sits where it sits: its visits, what it was told, and what it held of each cohort."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from horae.explain import client_picture
from horae.explain.answer import Answer, Grid, Row, listed, shortened
from horae.explain.because import reasons
from horae.explain.reading import (
    at_home,
    check_client,
    clustering_of,
    column,
    explorers,
    groups_of,
    home_of,
    standing,
    visits_of,
)
from horae.explain.replay import Moment, auxo_of, can_replay, odd_claims, replay
from horae.report.loading import Run
from horae.report.reading import Arm, Event
from horae.report.tables import NONE, count, number, plural, seconds, share

HEAD: Row = ("time", "cohort", "round", "came as", "claimed", "reward", "cluster", "told to try", "R there after")
OLD = "This log does not say who was rewarded or told what: an earlier version of horae wrote it. Run it again to know."


def explain_client(run: Run, client: int) -> Answer:
    """Why this client is at home where it is. Errors: ConfigError for an id that the run did not have."""
    arm = run.main
    check_client(arm, client)
    rule = auxo_of(run)
    moments = replay(arm, client, rule) if rule and can_replay(arm) else []
    visits = [_visit(event, client, moments, first=i == 0) for i, event in enumerate(visits_of(arm, client))]
    facts: dict[str, Any] = {
        "what": "client", "client": client, "group": groups_of(arm).get(client), "home": home_of(arm, client),
        "accuracy": arm.accuracies.get(client), "clustering": clustering_of(arm), "finished": arm.finished,
        "visits": visits, "moves": _moves(visits), "splits": _splits(arm, client),
        "held": moments[-1].held if moments else {},
    }  # fmt: skip
    facts["because"] = reasons(arm, client, moments, rule)
    odd = odd_claims(moments, client)
    words = [_who(arm, facts), *facts["because"], *_history(facts), *standing(run)]
    if clustering_of(arm) == "auxo" and not moments and visits:
        words.append(_unknown(run))
    if odd:
        words.append(f"{count(odd)} of its claims are not what it should have held: its memory was lost, or it lied.")
    facts["odd_claims"] = odd
    grids = [_table(visits), *_held(moments)]
    panels = client_picture.panels(arm, client, visits, moments) if visits else []
    return Answer(f"client-{client}", f"Client {client}: its visits", words, facts, grids, panels)


def _unknown(run: Run) -> str:
    """Why what an Auxo client held cannot be worked out."""
    if not run.experiment:
        return "There is no experiment.toml: its rewards cannot be averaged."
    if other := run.settings.get("clustering.from"):
        return f"It began with what it remembered of {other}: what it held cannot be worked out from this log alone."
    return OLD


def _visit(event: Event, client: int, moments: list[Moment], *, first: bool) -> dict[str, Any]:
    """One participation."""
    came = explorers(event)
    moment = next((moment for moment in moments if moment.event is event), None)
    return {
        "at_s": event["at_s"], "cohort": event["cohort"], "round": event["number"] + 1,
        "exploring": None if came is None else client in came, "first": first,
        "claim": column(event, "claims", client), "reward": column(event, "rewards", client),
        "label": column(event, "labels", client), "told_to_try": column(event, "towards", client),
        "held": moment.held if moment else {},
    }  # fmt: skip


def _moves(visits: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The visits at which it trained somewhere else than at the one before."""
    pairs = pairwise(visits)
    return [{"at_s": b["at_s"], "from": a["cohort"], "to": b["cohort"]} for a, b in pairs if a["cohort"] != b["cohort"]]


def _splits(arm: Arm, client: int) -> list[dict[str, Any]]:
    """The splits that counted it as a known member, and of which child."""
    found = []
    for split in arm.splits:
        child = next((name for name, ids in split.get("members", {}).items() if client in ids), None)
        if child is not None:
            found.append({"at_s": split["at_s"], "cohort": split["cohort"], "round": split["round"], "child": child})
    return found


def _who(arm: Arm, facts: dict[str, Any]) -> str:
    group = "" if facts["group"] is None else f", of planted group {facts['group']}"
    if facts["home"] is None:
        when = "and not among the clients scored at the end" if facts["finished"] else "so far"
        return f"Client {facts['client']}{group}: {plural(len(facts['visits']), 'visit')} {when}."
    home = f"Client {facts['client']}{group}, is at home in {facts['home']}"
    accuracy = facts["accuracy"]
    served = "has no test samples" if accuracy is None else f"is served with {share(accuracy)} accuracy"
    mine = [arm.accuracies[i] for i in at_home(arm, facts["home"]) or [] if i in arm.accuracies]
    beside = f" (mean of its cohort: {share(sum(mine) / len(mine))})" if mine and accuracy is not None else ""
    return f"{home} and {served}{beside}."


def _history(facts: dict[str, Any]) -> list[str]:
    """Where it went, in two lines at most."""
    visits, moves = facts["visits"], facts["moves"]
    if not visits:
        return []
    first, last = (seconds(visits[i]["at_s"]) for i in (0, -1))
    when = f"after {first}" if len(visits) == 1 else f"from {first} to {last}"
    words = [f"{plural(len(visits), 'visit')} {when}, {_explored(visits)}."]
    if moves:
        where = listed([f"{m['from']} → {m['to']} after {seconds(m['at_s'])}" for m in moves], 6)
        words.append(f"It changed its cohort {plural(len(moves), 'time')}: {where}.")
    return words


def _explored(visits: list[dict[str, Any]]) -> str:
    if any(visit["exploring"] is None for visit in visits):
        return "how many as an explorer is not written down"
    return f"{count(sum(visit['exploring'] for visit in visits))} as an explorer"


def _came(visit: dict[str, Any]) -> str:
    """As what a client came: an explorer without a record is a newcomer."""
    if visit["exploring"] is None:
        return NONE
    return ("newcomer" if visit["first"] else "explorer") if visit["exploring"] else "by wish"


def _table(visits: list[dict[str, Any]]) -> Grid:
    rows: list[Row] = [
        (
            seconds(v["at_s"]), v["cohort"], count(v["round"]), _came(v), number(v["claim"]), number(v["reward"]),
            NONE if v["label"] is None or v["label"] < 0 else count(v["label"]), v["told_to_try"] or NONE,
            number(v["held"].get(v["cohort"])) if v["reward"] is not None else NONE,
        )
        for v in visits
    ]  # fmt: skip
    return Grid("Its visits; rounds count from 1", HEAD, shortened(rows))


def _held(moments: list[Moment]) -> list[Grid]:
    """What it holds of each cohort in the end."""
    if not moments or len(moments[-1].records.paths) < 2:
        return []
    last = moments[-1]
    rows: list[Row] = [
        (name, number(reward), count(last.visits(name)), "yes" if last.assigned(name) else "no")
        for name, reward in last.held.items()
    ]
    return [Grid("What it held in the end", ("cohort", "R", "visits", "told it is its own"), rows)]
