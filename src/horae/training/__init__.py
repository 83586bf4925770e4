"""Local training: what clients compute, in one place and nowhere else. The only part of horae that knows layers."""

from horae.training.metrics import MetricName
from horae.training.models import MODELS, Cnn, Logistic, Mlp, Model
from horae.training.modules import check_module, initial
from horae.training.plan import Batches, Training, batches
from horae.training.samples import Samples
from horae.training.streamed import Wanted
from horae.training.tasks import TASKS
from horae.training.trainer import Trainer
from horae.training.work import Trained, Work

__all__ = [
    "MODELS",
    "TASKS",
    "Batches",
    "Cnn",
    "Logistic",
    "MetricName",
    "Mlp",
    "Model",
    "Samples",
    "Trained",
    "Trainer",
    "Training",
    "Wanted",
    "Work",
    "batches",
    "check_module",
    "initial",
]
