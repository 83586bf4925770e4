"""What clients are asked outside rounds, and what they answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from horae.pure.tree import CohortTree, Path
from horae.types.values import Charge, Doubles, Floats, Ints, Updates

Sum = Literal["square", "signed", "absolute"]


@dataclass(frozen=True)
class Evaluate:
    """Ask clients for the test accuracy of one model each.

    models: params by path; home `(clients,)`: index into `paths`.
    """

    clients: Ints
    paths: tuple[Path, ...]
    params: tuple[Floats, ...]
    buffers: tuple[Floats, ...]
    home: Ints


@dataclass(frozen=True)
class Evaluation:
    """Answers to Evaluate.

    correct, tested `(clients,)` count test samples; losses `(clients,)` are mean test losses.
    """

    correct: Ints
    tested: Ints
    losses: Doubles


@dataclass(frozen=True)
class Examine(Evaluate):
    """Ask how these models do on all those clients' test samples together. The answer: numbers by name.

    metrics: those to be told beside the task's own, of "top5", "f1", "precision", "recall".
    """

    metrics: tuple[str, ...] = ()


@dataclass(frozen=True)
class Practise:
    """Ask clients to train a model once, apart from any round: pre-training, exploration, a newcomer's first update.

    clients: ids; None: `n` of those who are there. The answer: Practice. steps: 0 is the experiment's. number: tells
    apart the batches of several such calls. sent: the share of the update that is sent.
    """

    params: Floats
    buffers: Floats
    clients: Ints | None = None
    n: int = 0
    steps: int = 0
    number: int = 0
    purpose: str = "pre-training"
    sent: float = 1.0


@dataclass(frozen=True)
class Practice:
    """What came of it: clients `(q,)`, their updates, samples and mean losses."""

    clients: Ints
    updates: Updates
    samples: Ints
    losses: Doubles


@dataclass(frozen=True)
class Losses:
    """Ask clients for the mean loss of some models on their training samples. The answer: `(q, models)`."""

    clients: Ints
    params: tuple[Floats, ...]
    buffers: tuple[Floats, ...]
    purpose: str = "losses"


@dataclass(frozen=True)
class LabelCounts:
    """Ask clients how many training samples of each label they hold now. The answer: `(q, classes)`."""

    clients: Ints


@dataclass(frozen=True)
class Groups:
    """Ask which planted groups there are. The answer: sorted ids, empty where nothing is planted."""


@dataclass(frozen=True)
class Layers:
    """Ask what the model is made of, which nobody is charged for. The answer: `pure.anatomy.Anatomy`."""


@dataclass(frozen=True)
class Speeds:
    """Ask what these clients' devices can do, which they say when they check in. The answer: Capacity.

    clients: ids; None: `n` of all there are.
    """

    clients: Ints | None = None
    n: int = 0


@dataclass(frozen=True)
class Explore:
    """Ask clients to train a model, each its own copy of it, and to send only how far its weights went.

    clients: ids; None: a `share` of all clients, of those who are there. epochs: at most, through each client's
    samples; steps: at most (0: as many as the epochs have). patience: epochs without a lower mean loss after which a
    client stops. lr: the learning rate of round `number` where 0. optimizer: the experiment's where "". sums: what is
    sent of the deviations d = w_end - w, 4 bytes a weight each: of d², d, |d|. each: the server keeps apart what each
    explorer sent. The answer: Exploration.
    """

    params: Floats
    buffers: Floats
    clients: Ints | None = None
    share: float = 1.0
    epochs: int = 1
    steps: int = 0
    patience: int = 40
    lr: float = 0.0
    optimizer: str = ""
    sums: tuple[Sum, ...] = ("square",)
    each: bool = False
    number: int = 0
    purpose: str = "exploration"


@dataclass(frozen=True)
class Exploration:
    """What came of it: Σ over the explorers of what was asked for, by its name, `(params,)` each.

    clients `(q,)`: in order of id, without those whose weights were not finite. steps `(q,)`: local steps each took;
    losses `(q,)`: mean loss in its last epoch. lr: what was used. squares `(q, params)`: each one's own, where that
    was asked for.
    """

    clients: Ints
    sums: dict[str, Doubles]
    steps: Ints
    losses: Doubles
    lr: float
    squares: Floats | None = None

    def mean(self, name: Sum) -> Doubles:
        """The mean over the explorers, zero where there was none."""
        return self.sums[name] / max(self.clients.size, 1)


@dataclass(frozen=True)
class Booked:
    """Ask that what was spent in an earlier run be written into this one's ledger, with no wait. No answer."""

    charges: tuple[Charge, ...]


@dataclass(frozen=True)
class Census:
    """Ask clients to be counted together: how many training samples of each label they hold now, in sum alone.

    The engine runs the protocol of `horae.census` among up to n clients that are there and idle, and were not counted
    in this window. tree, path: only those whom this leaf serves; None: anybody. group: most clients of one total;
    sticky: who was counted together once is counted together always, or not at all. fewest: least clients of a total.
    whole: run all of the protocol; otherwise sums alone, with what it would have cost. The answer: Count.
    """

    n: int
    window: int
    number: int
    tree: CohortTree | None = None
    path: Path = ()
    group: int = 50
    sticky: bool = True
    fewest: int = 10
    clip: int = 10_000
    transport: Literal["chain", "star"] = "star"
    noise: float = 0.0
    whole: bool = True


@dataclass(frozen=True)
class Count:
    """What came of it, a row for every total: the group's number, its label counts `(totals, classes)`, and how many
    clients are in it. dropped: clients that went away meanwhile; refused: totals that the clients would not give.
    """

    groups: Ints
    labels: Ints
    clients: Ints
    dropped: int = 0
    refused: int = 0
