"""A model made, and checked before it is trained."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from horae.errors import ConfigError, HoraeError, one_line, require
from horae.pure.streams import stream
from horae.training.layout import Layout
from horae.training.models import Model
from horae.training.models.limits import whole


def initial(model: Model, shape: tuple[int, ...], classes: int, seed: int) -> nn.Module:
    """The module every arm of an experiment starts from: torch's own initialisation, a function of the seed alone.

    torch's global random state is left as it was.
    """
    require(whole(classes), "the number of classes", "be a whole number >= 1", classes)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(stream(seed, "model").integers(2**63)))
        return model.build(shape, classes)


def check_module(module: nn.Module, sample: Tensor, truth: Tensor, classes: int) -> None:
    """Refuse a module that cannot be trained on samples like this one: raises ConfigError. It stays as it was.

    sample `(1, *shape)`, truth `(1, ...)`: zeros, as `Samples.example` has them.
    """
    shape = tuple(sample.shape[1:])
    modes = {part: part.training for part in module.modules()}
    tokens = not sample.is_floating_point()
    other = "tokens go with char-lstm, albert or sparse-logistic" if tokens else "choose another model"
    remedy = f"{other}, or change the samples' shape"
    try:
        n_params = Layout.of_params(module).size
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            answer = module.eval()(sample)
    except HoraeError:
        raise
    except Exception as error:  # whatever torch or somebody else's layer has to say
        raise ConfigError(f"model should take samples of shape {shape}: {one_line(error, 120)}; {remedy}") from None
    finally:
        for part, mode in modes.items():
            part.training = mode
    require(n_params > 0, "model", "have a parameter to train", 0, "set requires_grad")
    found = tuple(answer.shape) if isinstance(answer, Tensor) else type(answer).__name__
    lead = tuple(truth.shape)
    fits = isinstance(found, tuple) and found[:-1] == lead and found[-1] >= classes
    should = f"answer one sample with at least {classes} numbers, one per class: {(*lead, classes)}"
    require(fits, "model", should, found)
