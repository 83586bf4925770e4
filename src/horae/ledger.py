"""The ledger: bytes, FLOPs, participations and client seconds, by purpose. Nothing that a method costs is left out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

from horae.types import Charge


@dataclass(frozen=True)
class Ledger:
    """Adds up charges.

    `train` is what the models got; `straggler` and `dropout` are wasted; `affinity` is Auxo's messages.
    """

    by_purpose: dict[str, Charge] = field(default_factory=dict)

    def plus(self, charges: Iterable[Charge]) -> Ledger:
        """The ledger with these charges written down."""
        sums = dict(self.by_purpose)
        for c in charges:
            old = sums.get(c.purpose, Charge(c.purpose))
            sums[c.purpose] = Charge(
                c.purpose, old.participations + c.participations, old.nbytes_up + c.nbytes_up,
                old.nbytes_down + c.nbytes_down, old.flops + c.flops, old.client_s + c.client_s,
                old.sparse_flops + c.sparse_flops,
            )  # fmt: skip
        return Ledger(sums)

    @property
    def participations(self) -> int:
        """Participations whose update was used; the budget counts these."""
        return self.by_purpose["train"].participations if "train" in self.by_purpose else 0

    @property
    def nbytes_up(self) -> int:
        """Bytes from clients, for every purpose."""
        return sum(c.nbytes_up for c in self.by_purpose.values())

    @property
    def nbytes_down(self) -> int:
        """Bytes to clients, for every purpose."""
        return sum(c.nbytes_down for c in self.by_purpose.values())

    @property
    def flops(self) -> int:
        """FLOPs on clients, for every purpose."""
        return sum(c.flops for c in self.by_purpose.values())

    @property
    def sparse_flops(self) -> int:
        """Those that would be left if zeros cost nothing: a theory, for dense arithmetic pays for them."""
        return sum(c.sparse_flops for c in self.by_purpose.values())

    def table(self) -> dict[str, dict[str, float]]:
        """One row per purpose, for reports."""
        rows = {purpose: asdict(charge) for purpose, charge in sorted(self.by_purpose.items())}
        for row in rows.values():
            del row["purpose"]
        return rows
