"""Which clients should train together, for a training loop of one's own: see docs/library.md."""

from horae.cohorts.coordinator import Cohorts
from horae.cohorts.lesson import Lesson
from horae.cohorts.records import blank, recall

__all__ = ["Cohorts", "Lesson", "blank", "recall"]
