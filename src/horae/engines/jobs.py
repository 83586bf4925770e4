"""What a round asks of each of the invited, before anybody has trained."""

from __future__ import annotations

import numpy as np

from horae.engines.costs import Job
from horae.engines.shapes import Shapes
from horae.engines.views import Views
from horae.engines.world import World
from horae.types import Keeping, Personal, Plan, Round


def job_of(round: Round, at_s: float, plan: Plan, world: World, shapes: Shapes, views: Views) -> Job:
    """Samples, FLOPs and bytes of each of the invited. at_s: when the round opens."""
    training, algorithm, people = world.trainer.training, plan.algorithm, world.population.train
    sizes, load = views.sizes(round, round.invited, at_s), shapes.load(round, plan.channels)
    down, up = algorithm.vectors if isinstance(algorithm, Keeping) else (0, 0)
    samples, planned = training.n_processed(sizes), np.full(sizes.size, training.n_planned)
    if views.probes(round):  # a second training, and a second update
        samples, planned, up = samples + training.n_processed(people.sizes_of(round.invited)), 2 * planned, up + 1
    if round.efforts is not None:
        samples, planned = (np.rint(n * round.efforts).astype(np.int64) for n in (samples, planned))
    tuning = algorithm.tuning if isinstance(algorithm, Personal) else None
    if tuning and tuning.remembered:  # a second training, of the client's own model
        samples = samples + tuning.steps * np.minimum(training.batch, sizes)
        planned = planned + tuning.steps * training.batch
    shares = np.ones(sizes.size) if round.sent is None else round.sent
    shared = 0 if round.target is None else 4 * round.target.size
    return Job(
        n_samples=samples,
        planned=planned,
        flops_per_sample=load.flops,
        nbytes_down=load.model + down * load.vector + load.buffers + shared,
        nbytes_up=np.rint(load.update * shares).astype(np.int64) + up * load.vector + load.buffers,
        sparse_flops_per_sample=load.sparse_flops,
    )
