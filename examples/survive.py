"""A federation that outlives its coordinator: `python examples/survive.py DIR`; kill any of its processes.

Workers train rounds that they find in DIR/jobs and leave replies in DIR/replies. The coordinator keeps one file for
each cohort, written when that cohort changed, and one for the rest. While it is dead, workers finish what they have and
replies wait; nobody is matched. Started again it takes up the cohorts and the waiting replies, and goes on. A round
whose worker died is handed out again.
"""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from horae import Cohorts
from horae.clustering import Auxo
from horae.files import write_whole
from horae.pure.packing import pack, unpack

CLIENTS, PARTICIPANTS, PATIENCE_S = 90, 30, 3.0
ROUNDS = int(os.environ.get("SURVIVE_ROUNDS", "60"))
digits = load_digits()
shares = np.array_split(np.random.default_rng(0).permutation(len(digits.target)), CLIENTS)
x = [np.rot90(digits.images[share], i % 3, (1, 2)).reshape(-1, 64) / 16 for i, share in enumerate(shares)]
y = [np.eye(10)[digits.target[share]] for share in shares]


def update(client, flat):
    """Ten gradient steps of logistic regression on the client's own digits: w_client - w_round."""
    w = flat.reshape(64, 10).astype(float)
    for _ in range(10):
        scores = np.exp(x[client] @ w)
        w -= 0.5 * x[client].T @ (scores / scores.sum(axis=1, keepdims=True) - y[client]) / len(y[client])
    return w.ravel() - flat


def work(folder):
    """Train one round after the other, coordinator or not, until there is a file `over`."""
    while not (folder / "over").exists():
        for job in sorted((folder / "jobs").glob("*.job")):
            mine = job.with_suffix(f".{os.getpid()}")
            try:
                job.rename(mine)  # whoever is first has it
            except FileNotFoundError:
                continue
            model, clients = unpack(mine.read_bytes())
            time.sleep(float(os.environ.get("SURVIVE_SLEEP_S", "0")))
            done = (clients, np.stack([update(client, model) for client in clients.tolist()]))
            write_whole(folder / "replies" / f"{job.stem}.reply", pack(done))
            mine.unlink(missing_ok=True)
        time.sleep(0.002)


def save(folder, cohorts, written):
    """One file for each cohort that changed, then one that names them; files that nobody names go."""
    state = cohorts.snapshot()
    names = {}
    for path, cohort in state["tree"].cohorts.items():
        names[path] = f"{'.'.join(map(str, (0, *path)))}-{cohort.round}.cohort"
        if written.get(path) is not cohort:
            write_whole(folder / names[path], pack(cohort))
    written.clear()
    written.update(state["tree"].cohorts)
    bare = replace(state["tree"], cohorts={})
    write_whole(folder / "rest", pack({**state, "tree": bare, "names": names}))
    for old in folder.glob("*.cohort"):
        if old.name not in names.values():
            old.unlink()


def restored(folder, cohorts):
    """The coordinator as it was when it last saved."""
    if (folder / "rest").exists():
        state = unpack((folder / "rest").read_bytes())
        leaves = {path: unpack((folder / name).read_bytes()) for path, name in state.pop("names").items()}
        cohorts.restore({**state, "tree": replace(state["tree"], cohorts=leaves)})
    return cohorts


def coordinate(folder):
    """Match, hand out, and learn from replies, until every cohort has trained ROUNDS rounds."""
    cohorts = restored(folder, Cohorts(Auxo(), params=np.zeros(640), participants=PARTICIPANTS, rounds=ROUNDS))
    written, asked = {}, {}
    while any(cohorts.tree[path].round < ROUNDS for path in cohorts.leaves):
        for path in cohorts.leaves:
            name = f"{'.'.join(map(str, (0, *path)))}-{cohorts.tree[path].round}"
            reply = folder / "replies" / f"{name}.reply"
            if reply.exists():
                clients, updates = unpack(reply.read_bytes())
                lesson = cohorts.learn(path, clients, updates)
                save(folder, cohorts, written)  # before the reply goes: a crash in between learns it again, from there
                reply.unlink()
                print(f"{name}: {len(clients)} replies{'; ' + lesson.split.reason if lesson.split else ''}", flush=True)
            elif cohorts.tree[path].round < ROUNDS and time.monotonic() - asked.get(name, -1e9) > PATIENCE_S:
                waiting = [*(folder / "jobs").glob(f"{name}.*")] if name not in asked else []
                asked[name] = time.monotonic()
                if not waiting:  # nobody has it, or whoever had it is gone
                    online = np.random.default_rng(cohorts.tree[path].round).choice(CLIENTS, 60, replace=False)
                    clients = cohorts.match(path, online)
                    save(folder, cohorts, written)
                    write_whole(folder / "jobs" / f"{name}.job", pack((cohorts.params(path), clients)))
        time.sleep(0.002)
    (folder / "over").touch()
    for path in cohorts.leaves:
        members = [client for client, home in enumerate(cohorts.home(range(CLIENTS))) if home == path]
        print(path, "clients at each angle:", np.bincount([c % 3 for c in members], minlength=3).tolist())


if __name__ == "__main__":
    place, role = Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "both"
    for part in ("jobs", "replies"):
        (place / part).mkdir(parents=True, exist_ok=True)
    if role == "work":
        work(place)
    elif role == "coordinate":
        coordinate(place)
    else:
        hands = [subprocess.Popen([sys.executable, __file__, str(place), "work"]) for _ in range(2)]
        coordinate(place)
        for hand in hands:
            hand.wait()
