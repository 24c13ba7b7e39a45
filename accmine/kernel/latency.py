"""The exact latency of programs of any length, by powers of the matrix of an iteration; and bounds that need none.

A loop body is a max-plus linear map x ↦ A ⊗ x of the state (``events.py``), so K iterations are A^K, and a nest is a
product of powers, (B ⊗ A^K1)^K2. Loops that are shorter than the arithmetic are written out, and where everything that
an iteration changes moved on by the same number of cycles, every later one moves it on by as many (``settle``).

More cycles anywhere never make a program end sooner, and more slots of a station never later, since entries are in
order. Ports and copies are taken in turn by instructions that may start out of order: a multiple of them is never
slower, but three may be slower than two, where the fourth in turn falls on one that is held for long.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from accmine.errors import InputError
from accmine.kernel.events import END, Body, Course, Machine, Moment, Ring, Term, advance, course, machine, uses
from accmine.kernel.matrix import LIMIT, NEVER, Matrix, Reduced, identity, overflow, power, reduced
from accmine.kernel.program import Issue, Program, Repeat, joined
from accmine.kernel.recurrence import BEFORE, Cycles

__all__ = ["Map", "bounds", "latency", "symbolic"]

Cell = tuple[str, str, int]
"""What, name of the resource, and place in its ring: 0 is the youngest."""

# Seconds, measured roughly: they choose between two ways to the same number.
STEP_S, ROW_STEP_S, ROW_CELL_S = 15e-6, 60e-6, 15e-9
PRODUCT_S, PRODUCT_TERM_S = 20e-6, 1.2e-9

SETTLES = 128  # instructions that may be played to see whether a loop settles
MOST_CELLS = 4096
"""States of a body of which a matrix is made: 128 MiB."""
MOST_S = 600.0
"""Seconds for which a loop without a matrix may take written out."""


@dataclass(frozen=True)
class Map:
    """What a body does to the state: ``after[i] = max over j of matrix[i, j] + before[j]``.

    Attributes
    ----------
    cells
        Names of the states that the body reads or writes, in the order of the matrix. Before the first instruction
        ``("origin", "", 0)`` and ``("end", "", 0)`` (the greatest finish so far) are 0, all others ``NEVER``.
    matrix
        Cycles, int64; negative: ``NEVER``.
    """

    cells: tuple[Cell, ...]
    matrix: Matrix


def latency(program: Program) -> int:
    """Cycles to the greatest finish, exact.

    Raises
    ------
    InputError
        They are 2^62 or more, or a long loop has more states than ``MOST_CELLS``.
    """
    of = _Evaluation(machine(replace(program, body=joined(program.body))))
    state = of.machine.state(BEFORE, 0)
    of.play(of.machine.program.body, state)
    if state[END][0] >= LIMIT:
        raise overflow(program.name)
    return state[END][0]


def symbolic(program: Program, body: Body | None = None) -> Map:
    """One iteration of a loop body that is repeated without end.

    Parameters
    ----------
    body
        Default: the body of the program's loop if it is one loop, else the whole program.

    Raises
    ------
    InputError
        Its entries are 2^62 or more, or its states more than ``MOST_CELLS``.
    """
    if body is None:
        only = program.body[0] if len(program.body) == 1 else None
        body = only.body if isinstance(only, Repeat) else program.body
    one = Program(body, program.stations, program.ports, program.locations, program.name)
    return _Evaluation(machine(one, endless=True)).map(body)


class _Rows:
    """Values are rows of the matrix so far; negative entries mean ``NEVER``.

    ``careful``: entries may reach 2^62, so that each is looked at.
    """

    def __init__(self, careful: bool) -> None:
        self.careful = careful

    def latest(self, moment: Moment, terms: Sequence[tuple[Matrix, Term]]) -> Matrix:
        value, term = terms[0]
        out = value + term.weight
        for value, term in terms[1:]:
            np.maximum(out, value + term.weight if term.weight else value, out=out)
        return self.looked_at(out)

    def later(self, value: Matrix, cycles: int, rule: str) -> Matrix:
        return self.looked_at(value + cycles) if cycles else value

    def either(self, one: Matrix, other: Matrix) -> Matrix:
        return np.maximum(one, other)

    def looked_at(self, row: Matrix) -> Matrix:
        if self.careful:
            if row.max() >= LIMIT:
                raise overflow()
            row[row < 0] = NEVER
        return row


class _Evaluation:
    """One machine, with the courses of its instructions and the maps of its loops made once."""

    def __init__(self, of: Machine) -> None:
        self.machine = of
        self.courses: dict[Issue, Course] = {}
        self.maps: dict[int, Map] = {}
        self.cores: dict[int, Reduced] = {}
        self.rings: dict[int, list[Ring]] = {}
        self.costs: dict[tuple[int, int], float] = {}
        self.restless: set[int] = set()
        self.rows = _Rows(careful=2 * _serial(of.program) >= LIMIT)  # and an interval before it

    def course(self, issue: Issue) -> Course:
        found = self.courses.get(issue)
        if found is None:
            found = self.courses[issue] = course(issue, self.machine)
            weights = [term.weight for moment in found.moments for term in moment.terms]
            if max(*weights, *(change.offset for change in found.changes)) >= LIMIT:
                raise overflow(issue.label)
        return found

    def touched(self, body: Body) -> list[Ring]:
        """Rings that a body reads or changes."""
        found = self.rings.get(id(body))
        if found is None:
            stations, ports, writes, others = uses(body)
            names = [(what, name) for name in stations for what in ("enter", "leave")]
            names += [("free", name) for name in ports]
            names += [
                (what, name) for name in dict.fromkeys((*writes, *sorted(others))) for what in ("written", "busy")
            ]
            found = self.rings[id(body)] = [("origin", ""), END, *names]
        return found

    def size(self, body: Body) -> int:
        """Cells of the state of a body."""
        return sum(self.machine.lengths[ring] for ring in self.touched(body))

    def play(self, body: Body, state: Mapping[Ring, deque[int]]) -> None:
        """Let a body happen to a state of cycles."""
        algebra = Cycles()
        for item in body:
            if isinstance(item, Issue):
                advance(state, self.course(item), algebra)
            elif left := self.settle(item, state):
                if self.leaps(rest := replace(item, trips=left), 1):
                    self.leap(rest, state)
                else:
                    for _ in range(left):
                        self.play(item.body, state)

    def settle(self, item: Repeat, state: Mapping[Ring, deque[int]]) -> int:
        """Play iterations of a loop to its end or to its steady state, which leads to the end; how many trips are left.

        An iteration is x ↦ A ⊗ x ⊕ b, where b is what cells give that no iteration changes. If x(k) = x(k − 1) + c in
        every cell that is changed, c > 0 and k ≥ 2, then x(k) > x(k − 1) ≥ b, so that b decides nothing any more.
        """
        own, tries = [part for part in item.body if isinstance(part, Issue)], min(item.trips, SETTLES // len(item.body))
        plain = len(own) == len(item.body) and self.size(item.body) <= MOST_CELLS
        if tries < 3 or not plain or id(item.body) in self.restless:
            return item.trips
        changes = [change for issue in own for change in self.course(issue).changes]
        lengths = [(c.ring, self.machine.lengths[c.ring] if c.how == "push" else 1) for c in changes]
        cells = list(dict.fromkeys((ring, place) for ring, length in lengths for place in range(length)))
        before: list[int] = []
        for trip in range(1, tries + 1):
            self.play(item.body, state)
            now = [state[ring][place] for ring, place in cells]
            if len(steps := {b - a for a, b in zip(before, now, strict=False)}) == 1 and (step := steps.pop()) > 0:
                for ring, place in cells:
                    state[ring][place] += step * (item.trips - trip)
                return 0
            before = now
        self.restless.add(id(item.body))
        return item.trips - tries

    def leap(self, item: Repeat, state: Mapping[Ring, deque[int]]) -> None:
        """Let all iterations of a loop happen at once to a state of cycles."""
        rings = self.touched(item.body)
        before = [max(value, NEVER) for ring in rings for value in state[ring]]
        if max(before) >= LIMIT:
            raise overflow(self.machine.program.name)
        after = power(self.reduced(item.body), item.trips, np.array(before, np.int64)[:, None])[:, 0].tolist()
        place = 0
        for ring in rings:
            values = state[ring]
            for index in range(len(values)):
                values[index] = after[place]
                place += 1

    def map(self, body: Body) -> Map:
        """The matrix of a body."""
        found = self.maps.get(id(body))
        if found is None:
            rings = self.touched(body)
            if self.size(body) > MOST_CELLS:
                raise InputError(
                    f"a matrix over {self.size(body):,} states is too large: allowed are {MOST_CELLS:,}",
                    self.machine.program.name,
                )
            cells = tuple((*ring, place) for ring in rings for place in range(self.machine.lengths[ring]))
            rows = iter(identity(len(cells)))
            state = {
                ring: deque([next(rows) for _ in range(self.machine.lengths[ring])], self.machine.lengths[ring])
                for ring in rings
            }
            self.play_rows(body, state)
            matrix = _stacked(state, rings)
            matrix[matrix < 0] = NEVER
            found = self.maps[id(body)] = Map(cells, matrix)
        return found

    def play_rows(self, body: Body, state: Mapping[Ring, deque[Matrix]]) -> None:
        """Let a body happen to a state of rows."""
        width = len(state[END][0])
        for item in body:
            if isinstance(item, Issue):
                advance(state, self.course(item), self.rows)
            elif not self.leaps(item, width):
                for _ in range(item.trips):
                    self.play_rows(item.body, state)
            else:
                rings = self.touched(item.body)
                rows = iter(power(self.reduced(item.body), item.trips, _stacked(state, rings)))
                for ring in rings:
                    values = state[ring]
                    for index in range(len(values)):
                        values[index] = next(rows)

    def reduced(self, body: Body) -> Reduced:
        """The matrix of a body over as few states as say the same."""
        found = self.cores.get(id(body))
        if found is None:
            found = self.cores[id(body)] = reduced(self.map(body).matrix)
        return found

    def leaps(self, loop: Repeat, width: int) -> bool:
        """Whether a power is quicker than the loop written out, for a state of numbers (``width`` 1) or of rows.

        Raises
        ------
        InputError
            Both are out of reach.
        """
        size = self.size(loop.body)
        out = self.seconds(loop.body, width) * loop.trips
        if size > MOST_CELLS:
            if out > MOST_S:
                raise InputError(
                    f"a loop of {loop.trips:,} trips has {size:,} values from one to the next: too many for a "
                    f"matrix (allowed are {MOST_CELLS:,}) and too long to be written out; give fewer slots or trips",
                    self.machine.program.name,
                )
            return False
        return out > self.map_seconds(loop.body) and out > self.power_seconds(loop, width)

    def seconds(self, body: Body, width: int) -> float:
        """How long a body is expected to take."""
        found = self.costs.get((id(body), width))
        if found is None:
            step = STEP_S if width == 1 else ROW_STEP_S + ROW_CELL_S * width
            found = 0.0
            for item in body:
                if isinstance(item, Issue):
                    found += step
                elif self.leaps(item, width):
                    found += self.power_seconds(item, width)
                else:
                    found += self.seconds(item.body, width) * item.trips
            self.costs[(id(body), width)] = found
        return found

    def map_seconds(self, body: Body) -> float:
        """How long the matrix of a body is expected to take."""
        return 0.0 if id(body) in self.maps else self.seconds(body, max(2, self.size(body)))

    def power_seconds(self, loop: Repeat, width: int) -> float:
        """How long a power of the matrix of a loop is expected to take; makes the matrix."""
        size = len(self.reduced(loop.body).core)
        squares = loop.trips.bit_length() * (PRODUCT_S + PRODUCT_TERM_S * size**3)
        steps = loop.trips * (PRODUCT_S + PRODUCT_TERM_S * size**2 * width)
        return min(squares, steps) + 2 * PRODUCT_TERM_S * self.size(loop.body) ** 2 * width


def _stacked(state: Mapping[Ring, deque[Matrix]], rings: Sequence[Ring]) -> Matrix:
    return np.array([row for ring in rings for row in state[ring]])


def bounds(program: Program) -> tuple[int, int]:
    """A lower and an upper bound of the latency from counts alone, exact integers of any size.

    Returns
    -------
    busy
        The greatest of: the cycles for which a slot of a station or a port is taken, on average, plus the least before
        the first and after the last of it; entries of a station times its interval, likewise; one instruction alone.
    serial
        Each instruction begins when everything of the one before it is over.
    """
    return _busy(program), _serial(program)


def _counted(program: Program) -> Counter[Issue]:
    count: Counter[Issue] = Counter()

    def walk(body: Body, times: int) -> None:
        for item in body:
            if isinstance(item, Repeat):
                walk(item.body, times * item.trips)
            else:
                count[item] += times

    walk(program.body, 1)
    return count


def _serial(program: Program) -> int:
    return sum(count * _alone(issue, program) for issue, count in _counted(program).items())


def _alone(issue: Issue, program: Program) -> int:
    """Cycles after which nothing waits for an instruction that waited for nothing."""
    after, ends = 0, []
    for station, cycles in _passed(issue):
        ends.append(after + program.stations[station].interval)
        after += cycles
    before = after - issue.hold
    return max(*ends, after, before + issue.latency, *(before + access.hold for access in issue.accesses))


def _passed(issue: Issue) -> list[tuple[str, int]]:
    """Stations of an instruction, and the least cycles that it is in each."""
    return [*((step.station, step.latency) for step in issue.steps), (issue.unit, issue.hold)]


@dataclass
class _Taken:
    """How long a resource is taken; the least cycles before it is, and from its end to the finish."""

    total: int = 0
    head: int | None = None
    tail: int | None = None

    def add(self, cycles: int, head: int, tail: int) -> None:
        self.total += cycles
        self.head = head if self.head is None else min(self.head, head)
        self.tail = tail if self.tail is None else min(self.tail, tail)

    def least(self, slots: int) -> int:
        return (self.head or 0) + -(-self.total // slots) + (self.tail or 0)


def _busy(program: Program) -> int:
    slots: dict[Ring, _Taken] = defaultdict(_Taken)
    entries: dict[str, _Taken] = defaultdict(_Taken)
    longest = 0
    for issue, count in _counted(program).items():
        whole = sum(step.latency for step in issue.steps) + issue.latency
        longest = max(longest, whole)
        head = 0
        for station, cycles in _passed(issue):
            slots[("leave", station)].add(count * cycles, head, whole - head - cycles)
            entries[station].add(count * program.stations[station].interval, head, whole - head)
            head += cycles
        start = whole - issue.latency
        for access in issue.accesses:
            slots[("free", access.port)].add(count * access.hold, start, issue.latency - access.hold)
    for (what, name), taken in slots.items():
        longest = max(
            longest, taken.least(program.stations[name].slots if what == "leave" else program.ports[name].count)
        )
    for name, taken in entries.items():
        taken.total -= program.stations[name].interval
        longest = max(longest, taken.least(1))
    return longest
