"""Run directories written by hand, and the page that is drawn of them taken apart."""

import json
import re
from html.parser import HTMLParser
from itertools import pairwise

EVIL = "<script>alert('x')</script>"


class Balanced(HTMLParser):
    """Keeps the open tags, the text, every attribute and the ids."""

    def __init__(self):
        super().__init__()
        self.open, self.words, self.tags, self.attributes, self.headings = [], [], set(), [], []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
            self.headings.append(int(tag[1]))
        self.attributes += attrs
        if tag not in ("meta", "br", "link", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        self.words.append(data)


def parse(file):
    """The page's text and what it is made of, checked for balance and for staying at home."""
    source = file.read_text(encoding="utf-8")
    page = Balanced()
    page.feed(source)
    page.close()
    assert page.open == []
    assert not page.tags & {"script", "link", "img", "iframe", "object"}
    assert not re.search(r"https?:|@import|url\((?!#)", source)
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert page.headings[0] == 1 and page.headings.count(1) == 1
    assert all(below <= above + 1 for above, below in pairwise(page.headings))
    page.text = " ".join(" ".join(page.words).replace("\xa0", " ").split())
    return page


def score(at_s, accuracy, cohorts, groups=None, participations=None, nbytes=10):
    """A score. groups: clients of each planted group by cohort."""
    some = dict.fromkeys(("accuracy", "worst10", "best10"), accuracy)
    spent = {"participations": int(at_s) if participations is None else participations, "nbytes": nbytes}
    return {"event": "score", "at_s": at_s, **spent, **some, "cohorts": cohorts, "groups": groups}


def verdict(cohort, number, statistic, children=None, reason="no split: 3 members < 20"):
    when = {"event": "verdict", "cohort": cohort, "round": number, "at_s": 60.0 * number, "split": children is not None}
    facts = when | {"statistic": statistic, "threshold": 0.85, "reason": reason}
    return facts | ({"children": children} if children else {})


def a_round(cohort, clients, up=100, down=200, at_s=1.0):
    told = {"invited": len(clients) + 3, "stragglers": 2, "dropouts": 1, "refused": 0, "exploring": 0, "loss": None}
    sent = {"nbytes_up": up, "nbytes_down": down, "flops": 1000}
    when = {"cohort": cohort, "number": 0, "started_s": 0.0, "at_s": at_s}
    return {"event": "round", **when, "clients": clients, **told, **sent}


def last(cohorts, accuracy, group=-1):
    """group: everybody's planted group; None: the cohort's index."""
    n = len(accuracy)
    home = [i % len(cohorts) for i in range(n)]
    groups = home if group is None else [group] * n
    table = {"cohorts": cohorts, "home": home, "accuracy": accuracy, "visits": [0] + [3] * (n - 1), "group": groups}
    return {"event": "clients", "ids": list(range(n)), **table}


def begin(name="digits"):
    return {"event": "run", "name": name, "horae": "1.2.3", "seed": 7, "clients": 20, "participants": 5}


def end(reason="budget spent"):
    cost = {"participations": 30, "nbytes_up": 2_000_000, "nbytes_down": 3_000_000, "flops": 5, "client_s": 90.0}
    return {"event": "end", "reason": reason, "ledger": {"straggler": cost, "train": cost}}


def write_log(directory, events, rest=""):
    """A log alone. rest: what stands in its last line, without an end."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events) + rest)


def write(directory, events, **summary):
    """A run directory with all its files."""
    write_log(directory, events)
    accuracy = summary.get("accuracy")
    table = {"name": "digits", "clustering": "auxo", "cohorts": 1, "rounds": 2, "participations": 30}
    table |= {"accuracy_worst10": accuracy, "adjusted_rand_index": None, "simulated_s": 12_000.0}
    table |= {"bytes_up": 4_000_000, "bytes_down": 6_000_000, **summary}
    (directory / "summary.json").write_text(json.dumps(table))
    (directory / "experiment.toml").write_text(f'name = "{EVIL}"\n')
