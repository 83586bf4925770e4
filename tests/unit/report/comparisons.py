"""Comparisons of run directories written by hand, and pages read back."""

import json
import re
from html.parser import HTMLParser

from horae.compare import plan as plans
from horae.compare.processes import Job
from horae.compare.results import gather
from horae.compare.tuning import in_words

EVIL = "<script>alert('x') & $x^2$ 50%_"


class Page(HTMLParser):
    """Keeps the text, the tags and the attributes, and counts what is open."""

    def __init__(self, source):
        super().__init__()
        self.open, self.said, self.tags, self.attributes = [], [], set(), []
        self.feed(source)
        self.close()
        assert self.open == []
        assert not self.tags & {"script", "link", "img", "iframe", "object"}
        assert not re.search(r"https?:|@import|url\((?!#)", source)
        ids = [value for name, value in self.attributes if name == "id"]
        assert len(ids) == len(set(ids))
        self.text = " ".join(" ".join(self.said).replace("\xa0", " ").split())

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        self.said.append(data)


def results(tmp_path, accuracies, against=None, key="name", ledger=False, tune=None, **numbers):
    """A comparison of runs with these accuracies, by arm: a list over seeds; None: it failed."""
    seeds = list(range(len(next(iter(accuracies.values())))))
    plan = plans.make(None, {}, {key: list(accuracies)}, seeds, (), plans.Wish(against, **(tune or {})))
    jobs, failed = {}, {}
    for arm, values in zip(plan.arms, accuracies.values(), strict=True):
        for seed, accuracy in enumerate(values):
            place = tmp_path / "runs" / arm.directory / f"seed-{seed}"
            job = jobs[arm.name, seed] = Job(arm.name, seed, tmp_path / "x", place, tmp_path / "y")
            if accuracy is None:
                failed[job] = f"no luck: {EVIL}"
                continue
            place.mkdir(parents=True)
            table = {"accuracy": accuracy, "accuracy_worst10": accuracy - 0.2, "cohorts": 2, "simulated_s": 3 * 3600.0}
            table |= {"bytes_up": 1_500_000, "bytes_down": 2_500_000, "horae_version": "1", **numbers}
            (place / "summary.json").write_text(json.dumps(table))
            scores = [(0.0, 0.1), (5000.0 + 100 * seed, accuracy / 2), (10_800.0, accuracy)]
            events = [{"event": "run"}]
            events += [
                {"event": "score", "at_s": at, "participations": at / 100, "nbytes": 10 * at, "accuracy": value}
                for at, value in scores
            ]
            if ledger:
                train = {"participations": 100, "nbytes_up": 1000, "nbytes_down": 2000, "flops": 4000, "client_s": 1.0}
                asked = {"participations": 40, "nbytes_up": 0, "nbytes_down": 4000, "flops": 500, "client_s": 1.0}
                events += [{"event": "end", "reason": "budget spent", "ledger": {"losses": asked, "train": train}}]
                events[0]["params"] = 5
            lines = (json.dumps(event, separators=(",", ":")) + "\n" for event in events)
            (place / "events.jsonl").write_text("".join(lines))
    plans.write(plan, tmp_path)
    return gather(plan, jobs, failed, tmp_path, tried(plan) if tune else None)


def tried(plan):
    """Trials that cost what is said here; the last setting is the best, and the first has failed."""
    table = {}
    for arm, trials in plan.trials.items():
        cost = {"participations": 60, "simulated_s": 7200.0, "train_wall_s": 3.0}
        rows = [
            {"settings": s, "said": in_words(s), "cost": cost, "accuracy": 0.1 * i or None, "failed": {}, "by_seed": {}}
            for i, s in enumerate(trials)
        ]
        rows[0]["failed"] = {"100": "no luck"}
        table[arm] = {"trials": rows, "chosen": trials[-1], "cost": cost, "grid": len(trials)}
    return table
