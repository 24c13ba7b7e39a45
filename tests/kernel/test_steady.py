"""Steady states: what is certified is right at a million iterations; and fixtures on which the scalar test fails."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from accmine.kernel.latency import latency, symbolic
from accmine.kernel.matrix import NEVER, Matrix, power
from accmine.kernel.program import Issue, Location, Program, Repeat, Station
from accmine.kernel.steady import certify, cycle_times, scalar_fixed_point
from tests.kernel.matrices import random_matrix, random_start
from tests.kernel.programs import random_program

FAR = 1_000_000


def matrix(*rows: tuple[int | None, ...]) -> Matrix:
    return np.array([[NEVER if entry is None else entry for entry in row] for row in rows], np.int64)


def after(a: Matrix, start: list[int], k: int) -> list[int]:
    return [int(x) for x in power(a, k, np.array(start, np.int64)[:, None])[:, 0]]


def check_certificates(seeds: range) -> None:
    fired = 0
    for seed in seeds:
        a = random_matrix(seed)
        start = random_start(seed, len(a))
        found = certify(a, start)
        if found is None:
            continue
        fired += 1
        for k in (0, 1, found.first, found.first + found.period, FAR, FAR + 1):
            assert list(found.predict(k)) == after(a, start, k), (seed, k)
    assert fired == len(seeds)


def test_certificates_are_right() -> None:
    check_certificates(range(250))


@pytest.mark.full
def test_certificates_are_right_2500_times() -> None:
    check_certificates(range(250, 2750))


@pytest.mark.full
def test_certificates_of_programs() -> None:
    for seed in range(200):
        body = random_program(seed, depth=0, most=10)
        program = Program((Repeat(FAR, body.body),), body.stations, body.ports, body.locations)
        made = symbolic(program)
        end = made.cells.index(("end", "", 0))
        start = [0 if cell[0] in ("origin", "end") else NEVER for cell in made.cells]
        found = certify(made.matrix, start, [end])
        assert found is not None, seed
        assert found.predict(FAR)[end] == latency(program), seed


def test_only_what_reaches_the_output_is_waited_for() -> None:
    """State 1 catches up with state 0 only after 1,000 iterations, which state 0 does not care about."""
    a = matrix((2, None), (0, 1))
    assert cycle_times(a, [0, 1000]) == (2, 2)
    alone, both = certify(a, [0, 1000], [0]), certify(a, [0, 1000])
    assert alone is not None
    assert both is not None
    assert (alone.first, alone.period, alone.rates) == (0, 1, (2, None))
    assert both.first == 1000 - 1
    assert alone.predict(FAR) == (2 * FAR, NEVER)
    assert list(both.predict(FAR)) == after(a, [0, 1000], FAR)


def test_it_is_not_proven_before_it_is_reached() -> None:
    assert certify(matrix((2, None), (0, 1)), [0, 1000], most=900) is None


def test_rates_come_from_upstream_alone() -> None:
    a = matrix((3, None, None, None), (0, None, None, None), (None, None, 5, None), (None, 1, 1, 7))
    assert cycle_times(a, [0, 0, 0, 0]) == (3, 3, 5, 7)
    assert cycle_times(a, [NEVER, 0, 0, NEVER]) == (None, None, 5, 7)
    assert cycle_times(matrix((None, None), (4, None)), [0, 0]) == (None, None)


def test_what_is_never_again() -> None:
    a = matrix((None, None), (4, None))
    found = certify(a, [1, 1])
    assert found is not None
    assert [list(found.predict(k)) for k in range(4)] == [[1, 1], [NEVER, 5], [NEVER, NEVER], [NEVER, NEVER]]


def test_a_rate_that_is_no_whole_number_has_whole_windows() -> None:
    a = matrix((None, 4), (3, None))
    found = certify(a, [0, 0])
    assert found is not None
    assert (found.rates, found.period) == ((Fraction(7, 2), Fraction(7, 2)), 2)
    assert list(found.predict(FAR + 1)) == after(a, [0, 0], FAR + 1)


def test_scalar_fails_on_period_2() -> None:
    """Increments are 4, 3, 4, 3, …: no two in a row are equal, for ever."""
    a, start = matrix((None, 4), (3, None)), [0, 0]
    assert scalar_fixed_point(a, start, 0) is None
    found = certify(a, start, [0])
    assert found is not None
    assert found.predict(FAR)[0] == after(a, start, FAR)[0]


def test_scalar_fails_on_a_plateau() -> None:
    """State 0 is ahead by 100 and takes 3 per iteration, state 1 takes 4 and rules from iteration 100 on."""
    a, start = matrix((3, 0), (None, 4)), [100, 0]
    for equal in (2, 5, 10, 50):
        scalar = scalar_fixed_point(a, start, 0, equal)
        assert scalar is not None
        assert (scalar.iterations, scalar.increment) == (equal, 3)
        assert scalar.predict(FAR) != after(a, start, FAR)[0]
    found = certify(a, start)
    assert found is not None
    assert found.first >= 100
    assert found.rates == (4, 4)
    assert found.predict(FAR)[0] == after(a, start, FAR)[0] == 4 * (FAR - 1)


def test_scalar_fails_on_a_reducible_system() -> None:
    """Stage 0 takes 2, queued 40 ahead of stage 1, which takes 5: the last one to speak is not the one that rules."""
    a = matrix((2, None, None), (1, 5, None), (0, 0, 1))
    start = [0, 0, 40]
    scalar = scalar_fixed_point(a, start, 2)
    assert scalar is not None
    assert scalar.increment == 1
    assert scalar.predict(FAR) < after(a, start, FAR)[2]
    found = certify(a, start)
    assert found is not None
    assert found.rates == (2, 5, 5)
    assert list(found.predict(FAR)) == after(a, start, FAR)


def test_scalar_is_right_where_one_unit_does_all() -> None:
    scalar = scalar_fixed_point(matrix((6,)), [0], 0, 3)
    assert scalar is not None
    assert (scalar.iterations, scalar.value, scalar.increment, scalar.predict(FAR)) == (3, 18, 6, 6 * FAR)


def test_a_plateau_of_a_program() -> None:
    """Loads outrun products until the queue of 60 buffers is full: then the increments of their end change."""
    load = Issue("load", (), "dma", 3, 3, writes=("a",))
    use = Issue("use", (), "array", 4, 4, reads=("a",))
    stations = {"dma": Station("dma"), "array": Station("array")}
    program = Program((Repeat(FAR, (load, use)),), stations, {}, {"a": Location("a", 60)})
    made = symbolic(program)
    cell, end = made.cells.index(("leave", "dma", 0)), made.cells.index(("end", "", 0))
    start = [0 if name[0] in ("origin", "end") else NEVER for name in made.cells]
    scalar = scalar_fixed_point(made.matrix, start, cell, 5)
    assert scalar is not None
    assert scalar.increment == 3
    found = certify(made.matrix, start)
    assert found is not None
    assert found.rates[cell] == found.rates[end] == 4
    assert found.predict(FAR)[end] == latency(program)
    assert scalar.predict(FAR) < found.predict(FAR)[cell] == after(made.matrix, start, FAR)[cell]
