"""The story of a run in about ten lines, and the tree of its cohorts over time."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

from horae.explain import tree_picture
from horae.explain.answer import Answer, Grid, Row, shortened
from horae.explain.reading import at_home, clustering_of, explorers, groups_in_words, groups_of, standing
from horae.report.loading import Run
from horae.report.reading import Arm, Event
from horae.report.tables import NONE, count, number, plural, seconds, share
from horae.report.words import headline, turnout

SPLITS = 3  # told one by one


def tell(run: Run) -> Answer:
    """What happened in this run, from its first line to its end."""
    arm = run.main
    facts = _facts(run)
    words = [_opening(run), f"{headline(arm, run.equal)}."]
    words += [turnout(arm)] if arm.of("round") else []
    words += [*_splits(arm), *_stays(arm), *_wandering(arm, facts), *_truth(arm), *_end(arm), *standing(run)]
    leaves: list[Row] = [
        (leaf["cohort"], count(leaf["clients"]), share(leaf["accuracy"]), count(leaf["rounds"]), leaf["groups"] or NONE)
        for leaf in facts["leaves"]
    ]
    when = "at the end" if arm.finished else "at the last score"
    head = ("cohort", "clients", "accuracy", "rounds", "planted groups")
    grids = [Grid(f"The cohorts {when}", head, shortened(leaves))] if leaves else []
    panels = tree_picture.panels(arm)
    return Answer("run", f"{run.name}: its cohorts over time", words, facts, grids, panels)


def _facts(run: Run) -> dict[str, Any]:
    """Everything, for machines."""
    arm = run.main
    first, rounds, groups = arm.last("run"), arm.of("round"), groups_of(arm)
    last = arm.last("score").get("cohorts", {})
    leaves = []
    for name in arm.leaves:
        home, (n, accuracy) = at_home(arm, name), last.get(name, (None, None))
        done = sum(event["cohort"] == name and bool(event["clients"]) for event in rounds)
        leaf = {"cohort": name, "clients": n if home is None else len(home), "accuracy": accuracy, "rounds": done}
        leaves.append({**leaf, "groups": groups_in_words(groups, home or [])})
    came = [explorers(event) for event in rounds]
    return {
        "what": "run", "name": run.name, "clustering": clustering_of(arm), "seed": first.get("seed"),
        "clients": first.get("clients"), "finished": arm.finished, "rounds": len(rounds), "leaves": leaves,
        "splits": arm.splits, "looks": len(arm.of("verdict")), "summary": arm.summary,
        "explorers": None if None in came else sum(len(each or ()) for each in came), **_tips(arm),
    }  # fmt: skip


def _tips(arm: Arm) -> dict[str, int]:
    """How often a client was told to try another cohort, did so at its next visit, and changed its cohort in all.

    A child of the cohort it was in before is no other cohort.
    """
    trail: dict[int, list[tuple[str, str | None]]] = {}
    for event in arm.of("round"):
        tips = event.get("towards") or [None] * len(event["clients"])
        for client, tip in zip(event["clients"], tips, strict=True):
            trail.setdefault(client, []).append((event["cohort"], tip))
    told = followed = moved = 0
    for visits in trail.values():
        told += sum(tip is not None for _, tip in visits)
        for (here, tip), (then, _) in pairwise(visits):
            followed += tip is not None and (then == tip or then.startswith(f"{tip}."))
            moved += then != here and not then.startswith(f"{here}.")
    return {"told_to_try": told, "followed": followed, "moves": moved}


def _opening(run: Run) -> str:
    arm, first = run.main, run.main.last("run")
    clients, each = plural(first.get("clients") or 0, "client"), count(first.get("participants"))
    rule = clustering_of(arm) or "an unknown clustering"
    return f"{run.name}, seed {first.get('seed', NONE)}: {rule} on {clients}, {each} participants a round."


def _splits(arm: Arm) -> list[str]:
    words = [
        f"Cohort {split['cohort']} split in round {split['round']}, after {seconds(split['at_s'])}: {split['reason']}."
        for split in arm.splits[:SPLITS]
    ]
    rest = len(arm.splits) - SPLITS
    return words + ([f"{plural(rest, 'more split')}: see --cohort."] if rest > 0 else [])


def _stays(arm: Arm) -> list[str]:
    """Why the cohorts did not split (further)."""
    stays: list[Event] = [verdict for verdict in arm.of("verdict") if not verdict["split"]]
    if not stays:
        return []
    kinds = Counter(verdict["reason"].removeprefix("no split: ") for verdict in stays)
    why, n = max(kinds.items(), key=lambda pair: pair[1])
    often = f", {count(n)} times" if n > 1 else ""
    told = f"most often{often}: {why}" if len(kinds) > 1 else why
    return [f"{plural(len(stays), 'look')} ended without a split; {told}."]


def _wandering(arm: Arm, facts: dict[str, Any]) -> list[str]:
    """Who went elsewhere, and on whose word."""
    if len(arm.homes) < 2:
        return []
    came = facts["explorers"]
    words = "" if came is None else f"{plural(came, 'participation')} by explorers; "
    words += f"clients went to another cohort than at their last visit {plural(facts['moves'], 'time')}"
    tips = facts["told_to_try"]
    return [f"{words}; {count(tips)} were told to try one, and {count(facts['followed'])} did at once."]


def _truth(arm: Arm) -> list[str]:
    """Agreement with what was planted, and who was never seen."""
    words, rand = [], arm.summary.get("adjusted_rand_index")
    if rand is not None:
        words.append(f"Agreement with the planted groups: adjusted Rand index {number(rand)} (1 is exact, 0 chance).")
    last = arm.last("clients")
    if unseen := len(last.get("ids", ())) - len(arm.visited):
        words.append(
            f"{plural(unseen, 'client')} never took part and {'is' if unseen == 1 else 'are'} placed by chance."
        )
    return words


def _end(arm: Arm) -> list[str]:
    """Who is served worst, and why it was over."""
    if not arm.finished:
        return []
    words, served = "", sorted(arm.accuracies.items(), key=lambda pair: (pair[1], pair[0]))
    if served:
        (worst, low), (best, high) = served[0], served[-1]
        words = f"; the worst served client is {worst} ({share(low)}), the best {best} ({share(high)}): see --client"
    over = seconds(arm.summary.get("simulated_s"))
    return [f"It ended after {over} of simulated time: {arm.last('end').get('reason')}{words}."]
