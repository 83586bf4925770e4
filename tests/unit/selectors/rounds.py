"""Rounds made by hand, for the tests of selectors."""

import json

import numpy as np

from horae.types import ROOT, Outcome, Ref, Round, Updates


def outcome(clients, losses=None, durations=None, invited=None, rows=None, samples=None, lasted=100.0, **more):
    clients = np.asarray(clients, np.int64)
    q = clients.size
    invited = clients if invited is None else np.asarray(invited, np.int64)
    sent = more.pop("sent", None)
    round_ = Round(ROOT, 0, Ref("m", 0), invited, q, 1e9, np.full(invited.size, np.nan), np.zeros(invited.size, bool),
                   sent=sent)  # fmt: skip
    return Outcome(
        round_, 50.0, 50.0 + lasted, clients, Updates(np.ones((q, 2), np.float32) if rows is None else rows),
        np.zeros(0, np.float32), np.ones(q, np.int64) if samples is None else np.asarray(samples),
        np.ones(q) if losses is None else np.asarray(losses, float),
        np.ones(q) if durations is None else np.asarray(durations, float), np.full(q, np.nan),
        np.zeros(q, bool), **more,
    )  # fmt: skip


def ids(*clients):
    return np.array(clients, np.int64)


def rng(seed=0):
    return np.random.default_rng(seed)


def ledger(directory):
    """What a run cost, by purpose."""
    return json.loads((directory / "events.jsonl").read_text().splitlines()[-1])["ledger"]
