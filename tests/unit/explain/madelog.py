"""A run directory written by hand: one split, a client that is sent on, one that never came."""

import json

EXPERIMENT = 'name = "made"\n[clustering]\nname = "auxo"\ngamma = 0.2\nepsilon = 0.9\nreward = "measured"\n'
LEAVES = ["0.0", "0.1"]


def a_round(cohort, number, clients, at_s, **columns):
    when = {"event": "round", "cohort": cohort, "number": number, "started_s": at_s - 10, "at_s": at_s}
    came = {"clients": clients, "exploring": len(columns.get("explorers", ())), "invited": len(clients) + 2}
    rest = {"stragglers": 1, "dropouts": 1, "refused": 0, "loss": 1.5, "nbytes_up": 8, "nbytes_down": 8, "flops": 1}
    return {**when, **came, **rest, **columns}


def verdict(cohort, number, at_s, statistic, reason, **split):
    facts = {"event": "verdict", "cohort": cohort, "round": number, "at_s": at_s, "split": bool(split)}
    return {**facts, "statistic": statistic, "threshold": 0.8, "reason": reason, **split}


def score(at_s, cohorts):
    n = sum(size for size, _ in cohorts.values())
    mean = sum(size * accuracy for size, accuracy in cohorts.values()) / n
    some = {"accuracy": mean, "worst10": mean, "best10": mean}
    return {"event": "score", "at_s": at_s, "participations": int(at_s), "nbytes": 9, **some, "cohorts": cohorts}


def events():
    """Clients 0-2 are of group 0, 3-4 of group 1; client 2 is put into 0.1 by the split, and 5 never comes."""
    run = {"event": "run", "name": "made", "horae": "1", "seed": 3, "clients": 6, "participants": 4}
    born = {"children": {"0.0": 2, "0.1": 3}, "members": {"0.0": [0, 1], "0.1": [2, 3, 4]}}
    return [
        {**run, "components": {"clustering": "auxo"}},
        score(0.0, {"0": [6, 0.5]}),
        a_round("0", 0, [0, 1, 2], 100.0, labels=[0, 0, 1], unused=[3, 4]),
        verdict("0", 1, 100.0, None, "no split: 3 members < 4"),
        a_round("0", 1, [2, 3, 4], 200.0, labels=[1, 1, 0]),
        verdict("0", 2, 200.0, 0.9, "split into 2: explained 0.90 >= 0.80", **born),
        score(200.0, {"0.0": [3, 0.6], "0.1": [3, 0.6]}),
        a_round("0.1", 2, [2, 3], 300.0, claims=[0.1, 0.1], rewards=[0.5, 0.25], labels=[0, 1]),
        a_round("0.1", 3, [2, 3], 400.0, claims=[0.5, 0.25], rewards=[0.3, 0.35], labels=[0, 1]),
        a_round(
            "0.1", 4, [2, 3, 4], 500.0, claims=[0.46, 0.27, None], rewards=[-0.4, 0.2, -0.1], labels=[0, 1, -1],
            explorers=[4], towards=["0.0", None, None],
        ),
        verdict("0.1", 5, 500.0, 0.6, "no split: explained 0.60 < 0.80"),
        a_round("0.0", 2, [2, 0], 600.0, claims=[0.388, 0.1], rewards=[0.6, -0.2], labels=[0, 1]),
        a_round("0.0", 3, [], 700.0, unused=[0, 1]),
        score(700.0, {"0.0": [4, 0.9], "0.1": [2, 0.8]}),
        {
            "event": "clients", "ids": [0, 1, 2, 3, 4, 5], "cohorts": [*LEAVES], "home": [0, 0, 0, 1, 1, 0],
            "accuracy": [0.9, 0.9, 1.0, 0.8, 0.8, 0.8], "visits": [2, 1, 6, 4, 2, 0], "group": [0, 0, 0, 1, 1, 1],
        },
        {"event": "end", "reason": "budget spent", "ledger": {"train": {"participations": 15}}},
    ]  # fmt: skip


def write(directory, lines=None, experiment=EXPERIMENT, summary=True):
    """A run directory of these events."""
    directory.mkdir(parents=True, exist_ok=True)
    lines = events() if lines is None else lines
    (directory / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in lines))
    if experiment:
        (directory / "experiment.toml").write_text(experiment)
    if summary:
        name = lines[0]["components"]["clustering"]
        facts = {"name": "made", "clustering": name, "cohorts": 2, "rounds": 6, "participations": 15, "accuracy": 0.87}
        (directory / "summary.json").write_text(json.dumps(facts | {"simulated_s": 700.0}))
    return directory
