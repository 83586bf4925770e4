"""Auxo in a training loop of one's own: federated averaging in numpy, clients hold their digits at three angles."""

import numpy as np
from sklearn.datasets import load_digits

from horae import Cohorts
from horae.clustering import Auxo

CLIENTS, ROUNDS, PARTICIPANTS, rng = 90, 60, 30, np.random.default_rng(0)
digits = load_digits()
shares = np.array_split(rng.permutation(len(digits.target)), CLIENTS)  # about 20 digits each
x = [np.rot90(digits.images[share], i % 3, (1, 2)).reshape(-1, 64) / 16 for i, share in enumerate(shares)]
y = [np.eye(10)[digits.target[share]] for share in shares]


def update(client, flat):
    """Ten gradient steps of logistic regression on the client's own digits: w_client - w_round."""
    w = flat.reshape(64, 10).astype(float)
    for _ in range(10):
        scores = np.exp(x[client] @ w)
        w -= 0.5 * x[client].T @ (scores / scores.sum(axis=1, keepdims=True) - y[client]) / len(y[client])
    return w.ravel() - flat


cohorts = Cohorts(Auxo(), params=np.zeros(640), participants=PARTICIPANTS, rounds=ROUNDS)
for _ in range(ROUNDS):
    online = rng.choice(CLIENTS, 60, replace=False)
    for path in cohorts.leaves:
        clients = cohorts.match(path, online)
        updates = [update(client, cohorts.params(path)) for client in clients]
        lesson = cohorts.learn(path, clients, updates)  # the model moves by the mean update
        if lesson.split:
            print(f"{path} {lesson.split.reason}")
for path in cohorts.leaves:
    members = [client for client, home in enumerate(cohorts.home(range(CLIENTS))) if home == path]
    print(path, "clients at each angle:", np.bincount([c % 3 for c in members], minlength=3))
