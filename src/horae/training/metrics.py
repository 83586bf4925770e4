"""How good many answers are together: what a run's summary says beside accuracy."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from horae.training.tasks import TASKS, Task
from horae.types import UNKNOWN, Ints

MetricName = Literal["top5", "f1", "precision", "recall"]
METRICS: tuple[MetricName, ...] = get_args(MetricName)
TOP = 5


@dataclass
class Tally:
    """Answers counted, for labels of `classes` kinds.

    asked, right, top: predictions, those that are right, those among whose five likeliest labels the true one is. loss:
    summed. actual, guessed, hits `(classes,)`: predictions by true label, by likeliest label, and where both agree.
    """

    task: Task
    classes: int
    asked: int = 0
    right: int = 0
    top: int = 0
    loss: float = 0.0
    actual: Ints = field(init=False)
    guessed: Ints = field(init=False)
    hits: Ints = field(init=False)

    def __post_init__(self) -> None:
        self.actual, self.guessed, self.hits = (np.zeros(self.classes, np.int64) for _ in range(3))

    def count(self, out: Tensor, y: Tensor) -> None:
        """Some answers, and the truth."""
        asked = self.task.asked(y)
        self.asked += int(asked.sum())
        self.right += int(self.task.right(out, y).sum())
        self.loss += float((self.task.each(out, y).double() * asked).sum())
        if self.task is TASKS["regression"]:
            return
        scores, truth = out.flatten(0, -2), y.flatten()
        scores, truth = scores[truth != UNKNOWN], truth[truth != UNKNOWN]
        if not len(truth):
            return
        likeliest = scores.topk(min(TOP, scores.shape[1]), dim=1).indices
        self.top += int((likeliest == truth[:, None]).any(1).sum())
        guess = scores.argmax(1)
        for counts, labels in ((self.actual, truth), (self.guessed, guess), (self.hits, truth[guess == truth])):
            found = torch.bincount(labels, minlength=self.classes).numpy()
            counts += found[: self.classes]

    def table(self, metrics: tuple[MetricName, ...]) -> dict[str, float]:
        """The task's own number, and those that were asked for.

            perplexity = exp(mean cross-entropy),   rmse = √(mean squared error)
            precision = mean over labels of hits / guessed,   recall: of hits / actual
            f1 = mean over labels of 2 hits / (guessed + actual)

        Labels that nobody has are left out; one that was never guessed has precision 0.
        """
        if not self.asked:
            return {}
        mean = self.loss / self.asked
        if self.task is TASKS["regression"]:
            return {"rmse": math.sqrt(mean)}
        own = {"perplexity": math.exp(min(mean, 700.0))} if self.task is TASKS["next-token"] else {}
        there = self.actual > 0
        hits, actual, guessed = (column[there].astype(np.float64) for column in (self.hits, self.actual, self.guessed))
        every = {
            "top5": self.top / self.asked,
            "precision": float((hits / np.maximum(guessed, 1)).mean()),
            "recall": float((hits / actual).mean()),
            "f1": float((2 * hits / (guessed + actual)).mean()),
        }
        return own | {name: every[name] for name in metrics}
