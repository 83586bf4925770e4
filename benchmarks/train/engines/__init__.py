"""The engines that race: each is a module that runs in a process of its own and does one round when told to."""

import os
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Entry:
    """How an engine is started: its module, what it is told besides the task, and whose environment it needs."""

    module: str
    argument: str = ""
    peer: str | None = None
    variables: dict[str, str] = field(default_factory=dict)


# On a machine that others use, two OpenMP threads that wait by spinning take up to twenty times as long.
PATIENT = {"OMP_WAIT_POLICY": "PASSIVE"}
BARE = {"CC": "none"}  # as on a machine without a compiler
ENGINES = {
    "naive-1": Entry("naive", "1"),
    "naive-2": Entry("naive", "2", variables=PATIENT),
    "horae-1": Entry("horae", "1"),
    "horae-2": Entry("horae", "2"),
    "torch-2": Entry("horae", "2", variables=BARE),
    "flower": Entry("flower", peer="flower"),
    "pfl-1": Entry("pfl", "1", peer="pfl"),
    "pfl-2": Entry("pfl", "2", peer="pfl", variables=PATIENT),
    "fedjax": Entry("fedjax", peer="fedjax"),
}
if os.environ.get("HORAE_BENCH_GPU"):  # the path for a GPU; on a processor others are quicker
    ENGINES["vmap"] = Entry("vmapped", "1")
SGEMM = Entry("sgemm")
