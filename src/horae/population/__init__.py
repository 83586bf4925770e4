"""Who has which data, on what device, and when. A new member is one file here and one line below."""

from horae.population.availability import AlwaysOnline, SyntheticAvailability
from horae.population.base import Population, Ragged
from horae.population.devices import SyntheticDevices, UniformDevices
from horae.population.digits import DigitsDirichlet, DigitsIid, DigitsSessions
from horae.population.shifted import DigitsPermuted, DigitsRotated
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
}
DEVICES = {"synthetic": SyntheticDevices, "equal": UniformDevices}
AVAILABILITY = {"synthetic": SyntheticAvailability, "always": AlwaysOnline}

__all__ = [
    "AVAILABILITY",
    "DEVICES",
    "POPULATIONS",
    "AlwaysOnline",
    "DigitsDirichlet",
    "DigitsIid",
    "DigitsPermuted",
    "DigitsRotated",
    "DigitsSessions",
    "MnistWriters",
    "Population",
    "Ragged",
    "SyntheticAvailability",
    "SyntheticDevices",
    "UniformDevices",
    "Virtual",
]
