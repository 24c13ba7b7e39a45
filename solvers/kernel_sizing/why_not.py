"""Why a kernel sizing has no solution: the resources that are too few together, and the least relaxation of each.

A resource without limit makes nobody wait. Its count is then so large that no cycle through a wait of it reaches the
target: such a cycle goes back at least ⌊(count − 1) / users⌋ iterations and weighs at most what all events rise
together. Resources conflict where their counts exclude the target while all others are without limit; which they are is
asked of the solver. Every count that is said to work was verified by the problem's own check, and rates are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from accmine.errors import InputError
from accmine.ports import NEVER, Clock
from accmine.problems.conflict import conflicts
from accmine.problems.kernel_sizing import (
    KIND,
    Problem,
    Solution,
    field_of,
    fixed_and_varying,
    impossible,
    rate_of,
    sized,
)
from accmine.problems.kernel_sizing.problem import MOST_COUNT
from accmine.problems.kernel_sizing.waits import waits_of, words
from accmine.record import Record
from accmine.registry import DEFAULT_SOLVER, make_solver

__all__ = ["explain"]

_WORK = 2.0
"""Deterministic time of CP-SAT for each question: the same problem gets the same answer."""

_STEPS = 64
"""Questions for the least rate, each of which but the last finds a lower one."""

_MOST = 128
"""Largest count of a single resource that is tried."""

_TARGET = "target"
_ALONE = "is enough by itself"


def explain(problem: Problem, clock: Clock = NEVER) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(target and counts in conflict, least change of each that helps) of an infeasible problem; else both empty."""
    case = _Case(problem, clock)
    found = conflicts([*case.choices, _TARGET], case.feasible)
    members = [name for name in (_TARGET, *case.choices) if any(name in own for own in found)]
    remedies = [case.of_target() if name == _TARGET else case.of_counts(name) for name in members]
    if len(members) > 2 and all(_ALONE in line for line in remedies[1:]):
        remedies.append(case.of_several(members[1:]))
    if members and case.unproved:
        remedies.append("whether fewer resources conflict already was not decided in time")
    return tuple(members), tuple(remedies)


class _Case:
    """A problem whose counts may be without limit."""

    def __init__(self, problem: Problem, clock: Clock) -> None:
        self.problem, self.clock = problem, clock
        self.choices = {field_of(problem, own): own for own in problem.choices}
        self.unproved = False
        fixed, varying = fixed_and_varying(problem)
        edges = [*fixed.dependences, *(edge for own in varying for some in own.values() for edge in some)]
        rise, back = [0] * len(fixed.events), [0] * len(fixed.events)
        for edge in edges:
            rise[edge.target] = max(rise[edge.target], edge.weight)
            back[edge.target] = max(back[edge.target], edge.distance)
        self.back = max(1, sum(back))  # iterations of any cycle of counts that may be chosen, at most
        users = len(problem.program.body)
        plenty = 1 + users * (1 + int(sum(rise) / problem.target))
        self.plenty, self.endless = min(MOST_COUNT, plenty), plenty <= MOST_COUNT

    def changed(self, counts: dict[str, tuple[tuple[int, int], ...]]) -> Problem:
        """The problem with other counts of some, at their costs, and all others as they are for nothing."""
        choices = tuple(
            replace(own, costs=counts.get(name, tuple((count, 0) for count in own.counts)))
            for name, own in self.choices.items()
        )
        return Problem(self.problem.program, choices, self.problem.target)

    def unlimited(self, *names: str) -> Problem:
        """The problem with some resources without limit."""
        return self.changed(dict.fromkeys(names, ((self.plenty, 0),)))

    def feasible(self, kept: frozenset[str]) -> bool:
        """Whether the target is kept while only the counts in ``kept`` are limited; undecided, the cautious answer."""
        if _TARGET not in kept:
            return True
        names = [name for name in self.choices if name not in kept]
        record = self.asked(self.unlimited(*names))
        if record.best is None and not record.infeasible:
            self.unproved = self.unproved or bool(names)
            return bool(names)  # whoever asks why has proven that all together conflict
        return not record.infeasible

    def of_target(self) -> str:
        """The least target that the counts allow, and what is as slow then."""
        reached, solution, proven = self.fastest(self.unlimited())
        graph = waits_of(sized(self.problem, solution))
        fewer = [
            f"{own.name} {count}"
            for own, count in zip(self.problem.choices, solution.counts, strict=True)
            if count != own.counts[-1]
        ]
        with_them = f" with {', '.join(fewer)} and else the largest counts" if fewer else ""
        said = f"at least {reached}" if proven else f"{reached} works, whether less does was not decided in time; at it"
        return f"{_TARGET}: {said} cycles per iteration{with_them}; {words(graph, rate_of(self.problem, solution)[1])}"

    def of_counts(self, name: str) -> str:
        """The least count of one resource with which the others as they are keep the target."""
        own = self.choices[name]
        free = self.unlimited(name)
        record = self.asked(free)
        if record.infeasible:
            reached, _, proven = self.fastest(free)
            exact = proven and self.endless
            least = f"at least {reached} cycles per iteration are" if exact else "it is not known how many cycles are"
            return f"{name}: no count of {own.name} {_ALONE}; without a limit of it {least} needed"
        record = self.asked(self.changed({name: tuple((count, count) for count in range(1, _MOST + 1))}))
        if record.best is None:
            return f"{name}: more than {_MOST} of {own.name} while the others stay, or undecided"
        count = record.score
        proven = record.bound is not None and record.bound >= count
        return f"{name}: {count} of {own.name} {'are the least that work' if proven else 'work'} while the others stay"

    def of_several(self, names: Sequence[str]) -> str:
        """Whether some resources without limit together keep the target; if not, the least rate of them.

        Below the target it is not told: there the counts that stand for no limit are one.
        """
        reached, _, proven = self.fastest(self.unlimited(*names))
        said = " and ".join(self.choices[name].name for name in names)
        if reached <= self.problem.target:
            return f"without a limit of {said} the target is kept"
        known = " at least" if proven and self.endless else " or less"
        return f"without a limit of {said} {reached} cycles per iteration{known}"

    def fastest(self, problem: Problem) -> tuple[Fraction, Solution, bool]:
        """The least rate of all counts of a problem, counts that have it, and whether that is proven.

        A rate is a number of cycles over at most ``back`` iterations: what is below a/b is below by 1/(b · back).
        """
        best = Solution(tuple(own.counts[-1] for own in problem.choices))
        rate, _ = rate_of(problem, best)
        for _ in range(_STEPS):
            try:
                record = self.asked(replace(problem, target=rate - Fraction(1, rate.denominator * self.back)))
            except InputError:  # beyond 64 bits: nothing is decided
                break
            if record.infeasible:
                return rate, best, True
            if record.best is None:
                break
            best = record.best
            rate, _ = rate_of(problem, best)
        return rate, best, False

    def asked(self, problem: Problem) -> Record[Solution]:
        """What the solver finds of a problem within its work and the time."""
        record = Record[Solution](problem, self.clock.stop(_WORK))
        if impossible(problem)[0]:
            record.no_solution()
        else:
            make_solver(KIND, DEFAULT_SOLVER[KIND]).search(record)
        return record
