"""Who has which data, on what device, and when. A new member is one file here and one line below."""

from horae.population.availability import AlwaysOnline, SyntheticAvailability
from horae.population.base import Population
from horae.population.devices import SyntheticDevices, UniformDevices
from horae.population.digits import DigitsDirichlet, DigitsIid, DigitsSessions
from horae.population.label_hours import LabelHours
from horae.population.named import NAMED
from horae.population.partitioners import PARTITIONS
from horae.population.pool import Partition, Pool, Shift
from horae.population.readers import READERS
from horae.population.roster import Card, Part, Roster, Sites, part, roster
from horae.population.rows import Ragged
from horae.population.shifted import DigitsPermuted, DigitsRotated
from horae.population.shifting import SHIFTS
from horae.population.traces import TraceAvailability, TraceDevices
from horae.population.virtual import Virtual
from horae.population.writers import MnistWriters

POPULATIONS = {
    "digits-rotated": DigitsRotated,
    "digits-permuted": DigitsPermuted,
    "digits-dirichlet": DigitsDirichlet,
    "digits-sessions": DigitsSessions,
    "digits-iid": DigitsIid,
    "mnist-writers": MnistWriters,
    "virtual": Virtual,
    "sites": Sites,
    **READERS,
    **NAMED,
}
DEVICES = {"synthetic": SyntheticDevices, "equal": UniformDevices, "trace": TraceDevices}
AVAILABILITY = {
    "synthetic": SyntheticAvailability,
    "always": AlwaysOnline,
    "by-label": LabelHours,
    "trace": TraceAvailability,
}

__all__ = [
    "AVAILABILITY",
    "DEVICES",
    "PARTITIONS",
    "POPULATIONS",
    "SHIFTS",
    "AlwaysOnline",
    "Card",
    "DigitsDirichlet",
    "DigitsIid",
    "DigitsPermuted",
    "DigitsRotated",
    "DigitsSessions",
    "LabelHours",
    "MnistWriters",
    "Part",
    "Partition",
    "Pool",
    "Population",
    "Ragged",
    "Roster",
    "Shift",
    "Sites",
    "SyntheticAvailability",
    "SyntheticDevices",
    "TraceAvailability",
    "TraceDevices",
    "UniformDevices",
    "Virtual",
    "part",
    "roster",
]
