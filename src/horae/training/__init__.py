"""Local training: what clients compute, in one place and nowhere else. The only part of horae that knows layers."""

from horae.training.models import MODELS, Cnn, Logistic, Mlp, Model
from horae.training.modules import check_module, initial
from horae.training.plan import Batches, Training, batches
from horae.training.trainer import Trainer
from horae.training.work import Trained, Work

__all__ = [
    "MODELS",
    "Batches",
    "Cnn",
    "Logistic",
    "Mlp",
    "Model",
    "Trained",
    "Trainer",
    "Training",
    "Work",
    "batches",
    "check_module",
    "initial",
]
