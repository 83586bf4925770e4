"""What most clusterings share: rounds that wait for nobody, and an even budget."""

from __future__ import annotations

from horae.types import CohortTree, Path


def idle_leaves(tree: CohortTree, running: frozenset[Path]) -> list[Path]:
    """Every leaf that is not in a round: cohorts never wait for each other (Auxo 3.2)."""
    return [path for path in tree.paths() if path not in running]


def even_quota(tree: CohortTree, n: int) -> dict[Path, int]:
    """n participants over the leaves, as equal as integers can be; they sum to n (Auxo 4.4, "allotting equal training
    resources to each").
    """
    leaves = tree.paths()
    share, rest = divmod(n, len(leaves))
    return {path: share + (i < rest) for i, path in enumerate(leaves)}
