"""The readable twin, held to torch.optim."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from horae.training import Mlp, Training, Work, initial
from horae.training.layout import Layout
from horae.training.reference import adam, sgd, train_one
from horae.types import Correction

RULES = {
    "sgd": (lambda: sgd(0.1, 0.0, 0.0), lambda w: torch.optim.SGD([w], 0.1)),
    "momentum": (lambda: sgd(0.1, 0.9, 0.0), lambda w: torch.optim.SGD([w], 0.1, momentum=0.9)),
    "decay": (lambda: sgd(0.1, 0.9, 0.01), lambda w: torch.optim.SGD([w], 0.1, momentum=0.9, weight_decay=0.01)),
    "adam": (lambda: adam(0.01, 0.0), lambda w: torch.optim.Adam([w], 0.01)),
    "adam, decay": (lambda: adam(0.01, 0.1), lambda w: torch.optim.Adam([w], 0.01, weight_decay=0.1)),
}


@pytest.mark.parametrize("name", RULES)
def test_update_rules_are_torch_s(name):
    make_rule, make_optimizer = RULES[name]
    gradients = torch.randn(7, 5, generator=torch.Generator().manual_seed(0))
    weights, theirs, rule = torch.ones(5), torch.ones(5, requires_grad=True), make_rule()
    optimizer = make_optimizer(theirs)
    for gradient in gradients:
        weights = rule(weights, gradient)
        theirs.grad = gradient.clone()
        optimizer.step()
    torch.testing.assert_close(weights, theirs.detach(), rtol=1e-6, atol=1e-7)


def setting():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 4)).astype(np.float32), rng.integers(0, 3, 30)
    return initial(Mlp((5,)), (4,), 3, 0), x, y


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_client_trains_as_with_torch_optim(optimizer):
    module, x, y = setting()
    training = Training(optimizer=optimizer, lr=0.05, weight_decay=0.01, steps=4, batch=50)
    layout = Layout.of_params(module)
    work = Work(layout.flatten(module), np.zeros(0, np.float32), np.array([3]), [np.arange(30)], round=0)
    found = train_one(module, training, work, 0, x, y, seed=0)
    kind = torch.optim.SGD if optimizer == "sgd" else torch.optim.Adam
    rule, losses = kind(module.parameters(), lr=0.05, weight_decay=0.01), []
    for _ in range(4):  # the batch is larger than the client: each step sees all 30 samples
        rule.zero_grad()
        loss = cross_entropy(module(torch.tensor(x)), torch.tensor(y))
        losses.append(loss.item())
        loss.backward()
        rule.step()
    np.testing.assert_allclose(found.updates[0], layout.flatten(module) - work.params, rtol=1e-4, atol=1e-6)
    assert found.losses[0] == pytest.approx(np.mean(losses), rel=1e-5)
    assert found.processed[0] == 120


def test_the_correction_by_hand():
    # One step: w = w0, so prox does nothing, and drift moves the weights by -lr · drift.
    module, x, y = setting()
    params = Layout.of_params(module).flatten(module)
    drift = np.arange(params.size, dtype=np.float32)

    def moved(steps: int, correction: Correction) -> np.ndarray:
        work = Work(params, np.zeros(0, np.float32), np.array([3]), [np.arange(30)], 0, correction=correction)
        return train_one(module, Training(steps=steps), work, 0, x, y, seed=0).updates[0]

    plain = moved(1, Correction())
    np.testing.assert_allclose(moved(1, Correction(prox=3.0, drift=drift)), plain - 0.1 * drift, rtol=1e-5, atol=1e-6)
    assert np.linalg.norm(moved(5, Correction(prox=3.0))) < np.linalg.norm(moved(5, Correction()))
