"""Laws of the exact latency: it is the recurrence, lies between its bounds, and only grows with what takes longer."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from accmine.errors import InputError
from accmine.kernel import latency as module
from accmine.kernel.latency import bounds, latency, symbolic
from accmine.kernel.matrix import NEVER, identity, power
from accmine.kernel.program import Access, Issue, Location, Port, Program, Repeat, Station, Step
from accmine.kernel.recurrence import run
from tests.kernel.programs import random_program

UNITS = {name: Station(name) for name in "abcd"}


def looped(program: Program, trips: int) -> Program:
    return replace(program, body=(Repeat(trips, program.body),))


def mapped(body: tuple[Issue | Repeat, ...], change: Any) -> tuple[Issue | Repeat, ...]:
    return tuple(
        replace(item, body=mapped(item.body, change)) if isinstance(item, Repeat) else change(item) for item in body
    )


@pytest.mark.parametrize("rows_too", [False, True])
def test_powers_of_nests_are_the_recurrence(rows_too: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SETTLES", 0)
    monkeypatch.setattr(module, "STEP_S", 1e3)  # every loop of the program by a power, and with rows_too those in loops
    if rows_too:
        monkeypatch.setattr(module._Evaluation, "leaps", lambda *_: True)
    for seed in range(80):
        program = random_program(seed, most=150)
        assert latency(program) == run(program).latency, seed


def test_loops_that_settle_are_the_recurrence(monkeypatch: pytest.MonkeyPatch) -> None:
    settled = 0

    def counted(self: Any, item: Repeat, state: Any) -> int:
        nonlocal settled
        left = settle(self, item, state)
        settled += left == 0 and item.trips > module.SETTLES // len(item.body)
        return left

    settle = module._Evaluation.settle
    monkeypatch.setattr(module._Evaluation, "settle", counted)
    for most in (8, 24, module.SETTLES):  # few tries, so that loops are left in the midst of settling too
        monkeypatch.setattr(module, "SETTLES", most)
        for seed in range(60):
            program = random_program(seed, most=400, trips=80, depth=1 + seed % 2)
            assert latency(program) == run(program).latency, seed
    assert settled > 50


def test_a_power_of_the_matrix_is_that_many_iterations() -> None:
    for seed in range(30):
        program = random_program(seed, depth=1, most=10)
        one = symbolic(program, program.body)
        state = np.full((len(one.cells), 1), NEVER)
        state[[one.cells.index(("origin", "", 0)), one.cells.index(("end", "", 0))]] = 0
        end = one.cells.index(("end", "", 0))
        for k in range(1, 26, 3 if seed else 1):
            assert power(one.matrix, k, state)[end, 0] == run(looped(program, k)).latency
            whole = power(one.matrix, k, identity(len(one.cells)))
            assert max(whole[end, 0], whole[end, 1]) == run(looped(program, k)).latency


def test_the_latency_lies_between_its_bounds() -> None:
    for seed in range(200):
        program = random_program(seed, most=60)
        busy, serial = bounds(program)
        assert busy <= latency(program) <= serial, seed


def test_both_bounds_are_reached() -> None:
    load = Issue("load", (Step("f", 2),), "a", 3, 3, writes=("x",))
    use = Issue("use", (Step("f", 2),), "b", 4, 4, reads=("x",))
    units = UNITS | {"f": Station("f")}
    one = Program((load,), units, locations={"x": Location("x")})
    assert bounds(one) == (5, 5)
    assert latency(one) == 5
    many = Program((Repeat(10**6, (Issue("i", (), "a", 7, 7),)),), units)
    assert bounds(many) == (7 * 10**6, 7 * 10**6)
    assert latency(many) == 7 * 10**6
    assert bounds(Program((load, use), units, locations={"x": Location("x")})) == (
        7,
        11,
    )  # both pass f, the quicker 3 before its finish


def test_what_takes_longer_never_ends_sooner() -> None:
    for seed in range(60):
        program, rng = random_program(seed, most=60), random.Random(seed)

        def slower(issue: Issue, rng: random.Random = rng) -> Issue:
            more = rng.randint(0, 2)
            steps = tuple(replace(step, latency=step.latency + rng.randint(0, 2)) for step in issue.steps)
            accesses = tuple(replace(one, hold=one.hold + rng.randint(0, 2)) for one in issue.accesses)
            return replace(issue, latency=issue.latency + more, hold=issue.hold + more, steps=steps, accesses=accesses)

        assert latency(replace(program, body=mapped(program.body, slower))) >= latency(program), seed


def test_more_slots_of_stations_and_multiples_of_ports_and_copies_are_never_slower() -> None:
    for seed in range(60):
        program, rng = random_program(seed, most=60), random.Random(seed)
        stations = {k: replace(v, slots=v.slots + rng.randint(0, 2)) for k, v in program.stations.items()}
        ports = {k: replace(v, count=v.count * rng.randint(1, 3)) for k, v in program.ports.items()}
        copies = {k: replace(v, slots=v.slots * rng.randint(1, 3)) for k, v in program.locations.items()}
        more = replace(program, stations=stations, ports=ports, locations=copies)
        assert latency(more) <= latency(program), seed


def test_one_more_port_or_copy_can_be_slower_since_turns_are_fixed() -> None:
    cycles = dict(zip("abcd", (10, 1, 1, 20), strict=True))
    on_ports = tuple(Issue(u, (), u, n, n, (Access("p", n),)) for u, n in cycles.items())
    writes = tuple(Issue(u, (), u, n, n, writes=("x",)) for u, n in cycles.items())
    for body in (on_ports, writes):
        found = [latency(Program(body, UNITS, {"p": Port("p", n)}, {"x": Location("x", n)})) for n in (1, 2, 3, 4)]
        assert found == [32, 21, 30, 20]  # of three the fourth takes the one that is held for 10


def test_names_do_not_matter() -> None:
    for seed in range(20):
        program = random_program(seed, most=60)

        def named(issue: Issue) -> Issue:
            return Issue(
                issue.label,
                tuple(replace(step, station="z" + step.station[::-1]) for step in issue.steps),
                "z" + issue.unit[::-1],
                issue.latency,
                issue.hold,
                tuple(replace(one, port="z" + one.port[::-1]) for one in issue.accesses),
                *(tuple("z" + x[::-1] for x in names) for names in (issue.reads, issue.writes, issue.updates)),
            )

        resources: list[Any] = [program.stations, program.ports, program.locations]
        renamed: list[Any] = [
            {"z" + k[::-1]: replace(v, name="z" + k[::-1]) for k, v in reversed(list(of.items()))} for of in resources
        ]
        other = Program(mapped(program.body, named), *renamed)
        assert latency(other) == latency(program)
        assert bounds(other) == bounds(program)


def pipeline(units: int, queue: int, trips: int) -> Program:
    stations = {"f": Station("f", 4, 1)}
    body = []
    for u in range(units):
        stations |= {f"q{u}": Station(f"q{u}", queue), f"u{u}": Station(f"u{u}")}
        reads = (f"x{u - 1}",) if u else ()
        steps = (Step("f", 1), Step(f"q{u}"))
        body.append(Issue(f"i{u}", steps, f"u{u}", 5 + u % 7, 3 + u % 5, (), reads, (f"x{u}",)))
    return Program((Repeat(trips, tuple(body)),), stations, {}, {f"x{u}": Location(f"x{u}", 2) for u in range(units)})


@pytest.mark.parametrize(("units", "queue"), [(7, 20), (20, 3)])
def test_four_billion_instructions_within_a_second(units: int, queue: int) -> None:
    program = pipeline(units, queue, -(-4_190_000_000 // units))
    assert 180 <= len(symbolic(program).cells) <= 200
    before = time.process_time()
    found = latency(program)
    assert time.process_time() - before < 1
    # the rate is steady long before 300 iterations
    rate = run(pipeline(units, queue, 400)).latency - run(pipeline(units, queue, 300)).latency
    trips = program.body[0].trips  # type: ignore[union-attr]
    assert found == run(pipeline(units, queue, 300 + trips % 100)).latency + rate * (trips // 100 - 3)


def test_what_is_beyond_int64_is_refused() -> None:
    a = Issue("a", (), "a", 1 << 20, 1 << 20)
    loop = Repeat(1 << 41, (a,))
    assert latency(Program((loop,), UNITS)) == 1 << 61
    for body in ((Repeat(2, (loop,)),), (loop, loop), (Issue("b", (), "a", 1 << 62, 1),), (a, Repeat(10**30, (a,)))):
        with pytest.raises(InputError, match=r"2\^62 cycles or more"):
            latency(Program(body, UNITS))
    both = tuple(Issue(u, (), u, 1 << 20, 1 << 20) for u in "abcd")  # four at once: only the serial sum is beyond
    wide = Program((Repeat((1 << 41) - 1, both),), UNITS)
    assert latency(wide) == ((1 << 41) - 1) << 20
    assert bounds(wide) == (((1 << 41) - 1) << 20, ((1 << 41) - 1) << 22)


def test_a_loop_with_too_many_states_for_its_length_is_refused() -> None:
    a = Issue("a", (Step("f"),), "a", 3, 3)
    with pytest.raises(InputError, match="allowed are 4,096"):
        latency(Program((Repeat(10**10, (a,)),), UNITS | {"f": Station("f", 10**6)}))
    assert latency(Program((Repeat(1000, (a,)),), UNITS | {"f": Station("f", 10**9)})) == 3000
