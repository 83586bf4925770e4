"""Arrays stay in this process."""

from __future__ import annotations

from dataclasses import dataclass, field

from horae.types import Floats, Path, Ref


@dataclass
class Inline:
    """A dictionary in memory: the data plane of a simulation in one process."""

    held: dict[str, dict[str, Floats]] = field(default_factory=dict, init=False, repr=False)
    count: int = field(default=0, init=False, repr=False)

    def put(self, arrays: dict[str, Floats], owner: Path) -> Ref:
        """Keep the arrays, write-protected, and hand back their name."""
        self.count += 1
        key = f"{'.'.join(map(str, owner)) or 'root'}/{self.count}"
        views = {name: array.view() for name, array in arrays.items()}
        for view in views.values():
            view.flags.writeable = False
        self.held[key] = views
        return Ref(key, sum(view.nbytes for view in views.values()))

    def get(self, ref: Ref) -> dict[str, Floats]:
        """The arrays of that name."""
        return self.held[ref.key]

    def evict(self, ref: Ref) -> None:
        """Forget them; doing so twice is no error."""
        self.held.pop(ref.key, None)

    def stats(self) -> dict[str, int]:
        """Objects and bytes held now."""
        return {"objects": len(self.held), "nbytes": sum(a.nbytes for d in self.held.values() for a in d.values())}
