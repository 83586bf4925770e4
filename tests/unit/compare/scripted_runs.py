"""Runs that are small scripts: what they leave is said here."""

import json
import sys

from horae.compare.processes import Job

VARY = {"clustering": ["single", "auxo"]}
ACCURACY = {("single", 0): 0.5, ("single", 1): 0.6, ("single", 2): 0.7}
ACCURACY |= {("auxo", 0): 0.75, ("auxo", 1): 0.8, ("auxo", 2): 0.95}  # 0.25, 0.2, 0.25 above
RUN = """
import json, pathlib, sys
place, numbers, opening = pathlib.Path(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3])
place.mkdir(parents=True)
(place / "experiment.toml").write_text("")
last = {"accuracy": numbers["accuracy"], "at_s": 60.0, "participations": 80, "nbytes": 1000}
events = [{"event": "run", "params": 5, **opening}]
events += [{"event": "score", "at_s": 0.0, "accuracy": 0.1, "participations": 0, "nbytes": 0}]
events += [{"event": "score", **last}, {"event": "end", "reason": opening["reason"], "ledger": opening["ledger"]}]
(place / "events.jsonl").write_text("".join(json.dumps(e, separators=(",", ":")) + "\\n" for e in events))
(place / "summary.json").write_text(json.dumps(numbers))
"""


class Runs:
    """Stands for the runs: scripts that leave these numbers. failing: those that say why not."""

    def __init__(self, failing=(), world=lambda arm, seed: {"clients": f"c{seed}", "model": f"m{seed}"}, **numbers):
        self.failing, self.begun, self.world, self.numbers = dict(failing), [], world, numbers
        self.reason = "budget spent"

    def ledger(self, arm):
        """Training of 10 participations, 2000 bytes each way; auxo asks for more."""
        train = {"participations": 10, "nbytes_up": 200, "nbytes_down": 200, "flops": 1000, "client_s": 1.0}
        other = {"participations": 4, "nbytes_up": 0, "nbytes_down": 400, "flops": 250, "client_s": 1.0}
        return {"train": train, "losses": other} if arm == "auxo" else {"train": train}

    def command(self, job, data_root):
        run = (job.arm, job.seed)
        self.begun.append(run)
        if run in self.failing:
            return [sys.executable, "-c", f"import sys; sys.exit({self.failing[run]!r})"]
        accuracy = ACCURACY[run]
        numbers = {"accuracy": accuracy, "accuracy_worst10": accuracy / 2, "cohorts": 1, "simulated_s": 60.0}
        numbers |= {"horae_version": "1", **self.numbers}
        opening = {"world": self.world(*run), "reason": self.reason, "ledger": self.ledger(job.arm)}
        return [sys.executable, "-c", RUN, str(job.directory), json.dumps(numbers), json.dumps(opening)]


def patched(monkeypatch, stand_in):
    monkeypatch.setattr(Job, "command", lambda job, data_root: stand_in.command(job, data_root))
    return stand_in


def arm(results, name):
    return next(arm for arm in results["arms"] if arm["name"] == name)
