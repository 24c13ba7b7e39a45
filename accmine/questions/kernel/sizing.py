"""The cheapest counts with which a loop of a kernel keeps a rate: ``accmine kernel --target``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from accmine.errors import CheckError, InfeasibleError, InputError, NothingFoundError
from accmine.files import did_you_mean
from accmine.hardware.technology import Technology, load_technology
from accmine.kernel.analysis import InnerLoop, analyse, inner_loops, rate
from accmine.kernel.architecture import Architecture, Kernel
from accmine.kernel.described.architecture_file import load_architecture
from accmine.kernel.described.kernel_file import load_kernel
from accmine.kernel.described.resolve import resolve
from accmine.kernel.latency import latency
from accmine.kernel.program import Issue, Program, Repeat
from accmine.ports import Stop
from accmine.problems.conflict import ConflictingLimit, infeasible
from accmine.problems.kernel_sizing import (
    More,
    Problem,
    Solution,
    field_of,
    priced,
    rate_of,
    sized,
    um2_of,
    what_more_buys,
)
from accmine.problems.kernel_sizing.problem import MOST_COUNT
from accmine.questions.kernel.network import network_report
from accmine.questions.kernel.resources import Resource, free_of, resources_of, target_of
from accmine.result import Result, Status, StopReason
from accmine.solving import solve

__all__ = ["TECHNOLOGY", "Sizing", "SizingProblem", "SizingQuestion", "sizing_of", "sizing_problem"]

TECHNOLOGY = "tpu-16nm"
"""Prices, where nothing else is said."""


@dataclass(frozen=True)
class SizingQuestion:
    """What is asked, as the options of the command say it.

    Attributes
    ----------
    target
        Cycles per iteration at most, or how much faster than now in per cent.
    free
        ``NAME`` or ``NAME=COUNTS``; none: what ``free_of`` takes by default.
    sizes
        ``NAME=SIZE``.
    loop
        Name of an innermost loop; empty: the one with most cycles.
    """

    target: str
    free: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
    technology: str = TECHNOLOGY
    loop: str = ""


@dataclass(frozen=True)
class SizingProblem:
    """A loop of a kernel as a sizing problem.

    Attributes
    ----------
    operator
        Of a model: whose kernel it is; else empty.
    program, cycles
        Of the whole kernel, as described.
    loop
        As described.
    free
        Resources in the order of the choices of the problem.
    fixed
        Names of resources that stay as they are because nobody says what one of them is.
    """

    architecture: Architecture
    operator: str
    program: Program = field(repr=False)
    cycles: int
    loop: InnerLoop
    technology: Technology = field(repr=False)
    free: tuple[Resource, ...]
    fixed: tuple[str, ...]
    problem: Problem = field(repr=False)

    @property
    def share(self) -> Fraction:
        """Of the loop in the cycles of the kernel, at its rate; above 1 where it never comes to that rate."""
        return Fraction(self.loop.cycles) / (self.cycles or 1)

    def um2(self, resource: Resource, count: int) -> int:
        """Area of so many, in whole µm²."""
        assert resource.one is not None
        return math.ceil(count * um2_of(resource.one, self.technology))

    @property
    def described_um2(self) -> int:
        """Area of what is free, with the counts of the description."""
        return sum(self.um2(own, own.count) for own in self.free)


@dataclass(frozen=True)
class Sizing:
    """The answer.

    Attributes
    ----------
    asked
        The problem with where it comes from.
    result
        Verified; objective and bound in µm².
    rate
        Cycles per iteration with the counts, exactly.
    cycles
        Of the whole kernel with the counts.
    more, less
        What one more or one less of each changes; simulations agree with each rate.
    """

    asked: SizingProblem
    result: Result[Solution]
    rate: Fraction
    cycles: int
    more: tuple[More, ...]
    less: tuple[More, ...]

    @property
    def counts(self) -> tuple[int, ...]:
        """Of what is free."""
        assert self.result.solution is not None
        return self.result.solution.counts


def sizing_problem(
    architecture: str | Path,
    kernel: str | Path,
    parameters: Mapping[str, int],
    asked: SizingQuestion,
    of_model: Mapping[str, Any] | None = None,
) -> SizingProblem:
    """The sizing of a loop of a kernel, or of the product of a model that takes most cycles.

    Parameters
    ----------
    of_model
        Options of a model, such as ``batch``; ``None``: the kernel is a file.

    Raises
    ------
    InputError
        With what is wrong in a file or an option.
    """
    technology = load_technology(asked.technology)
    machine, text, operator, program = _read(architecture, kernel, parameters, of_model)
    analysis = analyse(program)
    loop = _loop(analysis.loops, analysis.dominating, asked.loop)
    flat = _flat(program, list(inner_loops(program.body))[analysis.loops.index(loop)][2])
    target = target_of(asked.target, loop.rate)
    known = resources_of(machine, text, flat, asked.sizes)
    free, left = free_of(known, asked.free)
    ones = {(own.what, own.name): own.one for own in free if own.one is not None}
    problem = priced(flat, target, technology, ones)
    by_name = {own.name: own for own in free}
    ordered = tuple(by_name[own.name] for own in problem.choices)
    fixed = tuple(own.name for own in left)
    return SizingProblem(machine, operator, program, analysis.cycles, loop, technology, ordered, fixed, problem)


def _read(
    architecture: str | Path, kernel: str | Path, parameters: Mapping[str, int], of_model: Mapping[str, Any] | None
) -> tuple[Architecture, Kernel, str, Program]:
    """(architecture, kernel, operator whose kernel it is, program)."""
    if of_model is not None:
        network = network_report(architecture, kernel, parameters, **of_model)
        row = network.rows[0]
        return network.architecture, row.kernel, row.name, row.program
    machine = load_architecture(architecture, None, dict(parameters))
    text = load_kernel(kernel, machine)
    return machine, text, "", resolve(machine, text)


def _loop(loops: Sequence[InnerLoop], longest: InnerLoop | None, name: str) -> InnerLoop:
    if longest is None:
        raise InputError("the kernel has no loop, and so no cycles per iteration", field="--target")
    named = [loop for loop in loops if loop.name == name] if name else [longest]
    if not named:
        known = list(dict.fromkeys(loop.name for loop in loops))
        near = did_you_mean(name, known)
        raise InputError(f"there is no innermost loop {name!r}; {near}allowed: {', '.join(known)}", field="--loop")
    return max(named, key=lambda loop: loop.cycles)


def _flat(program: Program, loop: Repeat) -> Program:
    """The body of a loop alone, with the resources that it uses."""
    issues = [item for item in loop.body if isinstance(item, Issue)]
    stations = {name for own in issues for name in (*(step.station for step in own.steps), own.unit)}
    ports = {access.port for own in issues for access in own.accesses}
    locations = {name for own in issues for name in (*own.reads, *own.writes, *own.updates)}
    return replace(
        program,
        body=loop.body,
        stations={name: own for name, own in program.stations.items() if name in stations},
        ports={name: own for name, own in program.ports.items() if name in ports},
        locations={name: own for name, own in program.locations.items() if name in locations},
    )


def sizing_of(asked: SizingProblem, seconds: float | None = None) -> Sizing:
    """Solve it: the cheapest counts, proven where ``result.status`` says so.

    Raises
    ------
    InfeasibleError
        If it is proven that no counts keep the rate, with what is at fault and the least rate that is kept.
    NothingFoundError
        If none were found in time.
    KeyboardInterrupt
        If Ctrl-C came before any were found.
    CheckError
        If the three ways to the rate (waits, Howard on the graph of the recurrence, simulation) differ.
    """
    problem = asked.problem
    result: Result[Solution] = solve(problem, stop=Stop(seconds=seconds))
    if result.status is Status.INFEASIBLE:
        raise _infeasible(asked, result)
    if result.solution is None:
        if result.stop is StopReason.INTERRUPTED:
            raise KeyboardInterrupt
        bound = None if result.bound is None else float(result.bound)
        raise NothingFoundError(
            f"{asked.loop.name}: no counts that keep {problem.target} cycles per iteration were found in time, and it "
            "is not proven that there are none",
            bound,
        )
    reached, _ = rate_of(problem, result.solution)
    whole = _with_counts(asked, result.solution)
    flat = sized(problem, result.solution)
    other, _ = rate(flat, Repeat(1, flat.body))
    if other != reached:
        raise CheckError(f"{asked.loop.name}: {reached} cycles per iteration by its waits, {other} by its recurrence")
    near = _near(asked, result.solution)
    more, less = (what_more_buys(near, result.solution, less=smaller) for smaller in (False, True))
    return Sizing(asked, result, reached, latency(whole), more, less)


def _near(asked: SizingProblem, solution: Solution) -> Problem:
    """The problem in which each count may be one less or one more, whatever may be chosen."""
    ones = {}
    for own, count in zip(asked.free, solution.counts, strict=True):
        assert own.one is not None
        ones[own.what, own.name] = replace(
            own.one, counts=tuple(range(max(1, count - 1), min(count + 1, MOST_COUNT) + 1))
        )
    return priced(asked.problem.program, asked.problem.target, asked.technology, ones)


def _with_counts(asked: SizingProblem, solution: Solution) -> Program:
    """The whole kernel with the counts of its loop."""
    flat, program = sized(asked.problem, solution), asked.program
    return replace(
        program,
        stations={**program.stations, **flat.stations},
        ports={**program.ports, **flat.ports},
        locations={**program.locations, **flat.locations},
    )


def _infeasible(asked: SizingProblem, result: Result[Solution]) -> InfeasibleError:
    """What the result says, in the names of the description."""
    problem = asked.problem
    told = {field_of(problem, own): (own.name, ", ".join(map(str, own.counts))) for own in problem.choices}
    told["target"] = "target", f"{problem.target} cycles per iteration"
    members = [
        ConflictingLimit(*told[place], remedy.removeprefix(f"{place}: "), ())
        for place, remedy in zip(result.conflict, result.remedy, strict=False)
    ]
    more = list(result.remedy[len(members) :])
    if asked.fixed:
        more.append(f"left as described, since nobody says what one is (--size): {', '.join(asked.fixed)}")
    names = ", ".join(own.name for own in problem.choices)
    message = f"{asked.loop.name}: no counts of {names} keep {problem.target} cycles per iteration"
    return infeasible(message, members, more)
