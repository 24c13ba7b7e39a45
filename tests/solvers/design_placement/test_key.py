"""A design with a variant and its plans: what is left of them when answers come."""

from __future__ import annotations

from math import inf

from accmine.ports import Stop
from accmine.problems.design_placement import Solution
from accmine.problems.design_search.space_bound import blocks
from accmine.record import Record
from accmine.solvers.design_placement.best_first import _Search
from accmine.solvers.design_placement.key import Key, tell_apart
from tests.samples.placement_sample import placement_problem


def keys_of() -> list[Key]:
    problem = placement_problem(microbatch=(1,), recompute=("none",))
    search = _Search(Record[Solution](problem, Stop(), solver="best-first"))
    found: list[Key] = search._keys([next(iter(blocks(search.space.classes.work)))])
    return found


def test_plans_that_an_answer_rules_out_are_gone() -> None:
    """An answer that comes before the plans of a design are told apart may leave none."""
    for key in keys_of():
        least = key.least
        assert 0 < least < inf
        assert tell_apart([key], least / 2) == 0
        assert (key.least, key.settled, len(key.plans)) == (inf, True, 0)
        key.raise_seconds(2 * key.seconds, least)
        assert key.least == inf


def test_plans_told_apart_have_no_lower_bound_than_together() -> None:
    for key in keys_of():
        least = key.least
        assert tell_apart([key], inf) == len(key.plans) > 0
        assert key.least >= least
