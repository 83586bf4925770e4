"""Recorded traces: who was online when, on what device. A new format is a function that makes `Sessions` or `Phones`,
and a line in `reading`.
"""

from horae.population.traces.members import TraceAvailability, TraceDevices
from horae.population.traces.phones import Phones
from horae.population.traces.reading import located, read_trace
from horae.population.traces.sessions import Sessions
from horae.population.traces.tables import write_trace

__all__ = ["Phones", "Sessions", "TraceAvailability", "TraceDevices", "located", "read_trace", "write_trace"]
