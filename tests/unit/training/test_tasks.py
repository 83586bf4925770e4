"""What is asked of a model, worked out by hand."""

import math

import numpy as np
import pytest
import torch

from horae.training.metrics import Tally
from horae.training.tasks import TASKS

LABELS = TASKS["classification"]
TOKENS = TASKS["next-token"]
NUMBERS = TASKS["regression"]


def test_classification_by_hand():
    # logits (0, 0) give 1/2 each; (log 3, 0) give 3/4 and 1/4
    out, y = torch.tensor([[0.0, 0.0], [math.log(3), 0.0]]), torch.tensor([1, 0])
    assert LABELS.each(out, y).tolist() == pytest.approx([math.log(2), math.log(4 / 3)])
    assert LABELS.mean(out, y).item() == pytest.approx((math.log(2) + math.log(4 / 3)) / 2)
    assert LABELS.right(out, y).tolist() == [0, 1]
    assert LABELS.asked(y).tolist() == [1, 1]


def test_tokens_that_nobody_asks_for_do_not_count():
    # two samples of two positions; one position is not asked for
    out = torch.log(torch.tensor([[[0.5, 0.5], [0.9, 0.1]], [[0.25, 0.75], [0.5, 0.5]]]))
    y = torch.tensor([[0, 0], [1, -1]])
    assert TOKENS.asked(y).tolist() == [2, 1]
    assert TOKENS.each(out, y).tolist() == pytest.approx([(-math.log(0.5) - math.log(0.9)) / 2, -math.log(0.75)])
    assert TOKENS.mean(out, y).item() == pytest.approx(-math.log(0.5 * 0.9 * 0.75) / 3)
    assert TOKENS.right(out, y).tolist() == [2, 1]  # a tie goes to the first
    nothing = torch.full((2, 2), -1)
    assert TOKENS.mean(out, nothing).item() == 0.0
    assert TOKENS.each(out, nothing).tolist() == [0.0, 0.0]


def test_a_token_at_the_end_is_a_label():
    out, y = torch.randn(4, 7), torch.tensor([1, 2, 3, 4])
    assert TOKENS.mean(out, y).item() == pytest.approx(LABELS.mean(out, y).item())
    assert TOKENS.each(out, y).tolist() == pytest.approx(LABELS.each(out, y).tolist())
    assert TOKENS.right(out, y).tolist() == LABELS.right(out, y).tolist()


def test_regression_by_hand():
    out, y = torch.tensor([[1.0], [3.0], [4.6]]), torch.tensor([1.5, 2.0, 4.0])
    assert NUMBERS.each(out, y).tolist() == pytest.approx([0.25, 1.0, 0.36])
    assert NUMBERS.mean(out, y).item() == pytest.approx(1.61 / 3)
    assert NUMBERS.right(out, y).tolist() == [1, 0, 0]


def test_metrics_by_hand():
    # truth 0 0 1 2 2 2, guesses 0 1 1 2 2 0
    truth, guesses = torch.tensor([0, 0, 1, 2, 2, 2]), [0, 1, 1, 2, 2, 0]
    out = torch.eye(3)[guesses] * 2
    tally = Tally(LABELS, 4)  # nobody has label 3
    for part in (slice(0, 2), slice(2, 6)):
        tally.count(out[part], truth[part])
    found = tally.table(("precision", "recall", "f1", "top5"))
    assert found["precision"] == pytest.approx((1 / 2 + 1 / 2 + 2 / 2) / 3)
    assert found["recall"] == pytest.approx((1 / 2 + 1 / 1 + 2 / 3) / 3)
    assert found["f1"] == pytest.approx((2 / 4 + 2 / 3 + 4 / 5) / 3)
    assert found["top5"] == 1.0  # of three labels all are among five
    assert tally.right / tally.asked == 4 / 6
    assert tally.table(()) == {}


def test_the_fifth_likeliest_label_is_in_and_the_sixth_is_out():
    out = torch.arange(8.0)[None].repeat(2, 1)  # 7 is the likeliest, 3 the fifth
    tally = Tally(LABELS, 8)
    tally.count(out, torch.tensor([3, 2]))
    assert tally.table(("top5",)) == {"top5": 0.5}


def test_perplexity_and_rmse():
    tokens = Tally(TOKENS, 2)
    tokens.count(torch.log(torch.tensor([[[0.5, 0.5], [0.25, 0.75]]])), torch.tensor([[0, 0]]))
    assert tokens.table(()) == {"perplexity": pytest.approx(math.sqrt(2 * 4))}
    stars = Tally(NUMBERS, 1)
    stars.count(torch.tensor([[1.0], [2.0]]), torch.tensor([2.0, 4.0]))
    assert stars.table(("f1",)) == {"rmse": pytest.approx(math.sqrt(2.5))}
    assert Tally(NUMBERS, 1).table(()) == {}
    assert np.isfinite(Tally(NUMBERS, 1).loss)
