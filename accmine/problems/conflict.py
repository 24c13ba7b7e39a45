"""Why not: minimal sets of limits that conflict, where each is written, and the least change of each that helps.

A set of limits conflicts when no solution meets all of them. It is minimal when every one of them is needed for
that: without any one of them a solution exists. Sets are made minimal by deletion: a limit is taken away and
stays away if the others conflict without it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from accmine.errors import CheckError, InfeasibleError
from accmine.files import Document, Place

__all__ = [
    "DEFAULT",
    "ConflictingLimit",
    "Feasible",
    "conflicts",
    "infeasible",
    "located",
    "minimal_conflict",
    "where_of",
]

DEFAULT = "default"
"""Where a limit stands that nobody wrote."""

MOST = 8
"""Sets of conflicting limits that are looked for; there may be exponentially many."""

Feasible = Callable[[frozenset[str]], bool]
"""Whether a solution exists while only these limits hold. Monotone: fewer limits never make it false."""


@dataclass(frozen=True)
class ConflictingLimit:
    """A member of a set of conflicting limits, in the words of the input.

    Attributes
    ----------
    name
        Dotted key, e.g. ``limits.area``.
    value
        Its value as the input says it, with unit.
    remedy
        The least change of it that helps, e.g. ``at least 352.4 mm^2``.
    place
        Keys and indices that lead to it in the document.
    where
        ``file:line:column`` if it stands in another file than the document; else empty.
    """

    name: str
    value: str
    remedy: str
    place: Place
    where: str = ""


def minimal_conflict(limits: Sequence[str], feasible: Feasible) -> tuple[str, ...]:
    """A minimal set of conflicting limits among ``limits``; empty if they do not conflict.

    Parameters
    ----------
    limits
        In the order in which they are tried to be taken away: what should rather not be named comes first.
    """
    kept = list(limits)
    if feasible(frozenset(kept)):
        return ()
    for name in limits:
        without = [other for other in kept if other != name]
        if not feasible(frozenset(without)):
            kept = without
    return tuple(kept)


def conflicts(limits: Sequence[str], feasible: Feasible) -> tuple[tuple[str, ...], ...]:
    """Minimal sets of conflicting limits: disjoint ones first, then ones that remain without a single limit.

    If one set is returned, relaxing any one of its members helps. At most :data:`MOST` sets are returned.
    """
    known = cache(feasible)
    found: list[tuple[str, ...]] = []

    def look(without: frozenset[str]) -> bool:
        members = minimal_conflict([name for name in limits if name not in without], known)
        if members and members not in found:
            found.append(members)
        return bool(members)

    while len(found) < MOST and look(frozenset(name for members in found for name in members)):
        pass
    for name in [name for members in found for name in members]:
        if len(found) >= MOST:
            break
        look(frozenset({name}))
    return tuple(found)


def infeasible(message: str, members: Sequence[ConflictingLimit], more: Sequence[str] = ()) -> InfeasibleError:
    """The error that tells members of conflicts with the remedy of each, and ``more`` lines after them.

    Raises
    ------
    CheckError
        If there are neither members nor lines that say why they are not known: a proven no has a cause.
    """
    if not members and not more:
        raise CheckError(f"{message}; but no cause of it is known")
    return InfeasibleError(
        message,
        [f"{limit.name}: {limit.value}" for limit in members],
        [*(f"{limit.name}: {limit.remedy}" for limit in members), *more],
        [limit.place for limit in members],
        [limit.where for limit in members],
    )


def located(error: InfeasibleError, document: Document) -> InfeasibleError:
    """The same error with ``file:line:column`` of every limit that stands in ``document``.

    What does not stand there keeps the place it has, or stands nowhere: ``default``.
    """
    if not error.places:
        return error
    found = [where_of(document, place) for place in error.places]
    where = [known if at == DEFAULT and known else at for at, known in zip(found, error.where, strict=True)]
    return InfeasibleError(error.summary, error.conflict, error.remedy, error.places, where)


def where_of(document: Document, place: Place) -> str:
    """``file:line:column`` of a value, the ``--set`` that made it, or ``default`` if the document does not say it."""
    here = document.data
    for step in place:
        try:
            here = here[step]
        except (KeyError, IndexError, TypeError):
            return DEFAULT
    return document.locate(place)
