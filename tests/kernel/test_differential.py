"""The recurrence and the powers against the simulator, which shares nothing with them but the program."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from accmine.kernel.latency import bounds, latency
from accmine.kernel.program import Issue, Program, Repeat
from accmine.kernel.recurrence import run
from accmine.kernel.simulator import simulate
from tests.kernel.programs import KERNELS_PER_MACHINE, random_program
from tests.kernel.worked import EXAMPLES, Times

MACHINES = 24
"""Each with 25 kernels: 600."""


def seen(program: Program) -> list[Times]:
    """By the simulator."""
    return [(one.enter, one.leave, one.start, one.finish) for one in simulate(program).passages]


def computed(program: Program) -> list[Times]:
    """By the recurrence: a station is left when the next one is entered."""
    first = run(program, program.instructions).first
    return [(one.enters, (*one.enters[1:], one.leave), one.start, one.finish) for one in first]


@pytest.mark.parametrize("name", EXAMPLES)
def test_rules_by_hand(name: str) -> None:
    program, expected = EXAMPLES[name]
    assert computed(program) == expected


@pytest.fixture
def leaping(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every loop is a power of its matrix, as short as it may be."""
    monkeypatch.setattr("accmine.kernel.latency._Evaluation.leaps", lambda *_: True)


@pytest.mark.parametrize("machine", range(0, MACHINES, 3))
def test_every_time_of_every_instruction(machine: int) -> None:
    """Also the latency by whichever way is quicker, and the bounds around it."""
    for seed in range(machine * KERNELS_PER_MACHINE, (machine + 1) * KERNELS_PER_MACHINE):
        program = random_program(seed)
        times = seen(program)
        assert computed(program) == times, seed
        cycles = max(finish for *_, finish in times)
        assert run(program).latency == latency(program) == cycles, seed
        least, most = bounds(program)
        assert least <= cycles <= most, seed


@pytest.mark.usefixtures("leaping")
@pytest.mark.parametrize("machine", range(0, MACHINES, 3))
def test_nests_by_powers(machine: int) -> None:
    for seed in range(machine * KERNELS_PER_MACHINE, (machine + 1) * KERNELS_PER_MACHINE):
        program = random_program(seed)
        assert latency(program) == simulate(program).cycles, seed


@pytest.mark.parametrize("machine", range(1_000, 1_000 + MACHINES, 2))
def test_long_nests(machine: int, request: pytest.FixtureRequest) -> None:
    """Trip counts far beyond the first iterations, on machines of their own."""
    program = random_program(machine, machine=machine, depth=2, most=3_000, trips=1_000)
    cycles = simulate(program).cycles
    assert latency(program) == cycles
    request.getfixturevalue("leaping")
    assert latency(program) == cycles
    least, most = bounds(program)
    assert least <= cycles <= most


RULES = ("slots", "interval", "latency", "hold", "ports", "port slots", "reads", "writes", "updates", "location slots")


@pytest.mark.parametrize("rule", RULES)
def test_random_programs_feel_every_rule(rule: str) -> None:
    """What is nowhere felt is nowhere tested: without the rule the times of many programs are others."""
    changed = sum(seen(without(rule, program)) != seen(program) for program in map(random_program, range(0, 600, 12)))
    assert changed >= 5


def without(rule: str, program: Program) -> Program:
    """The program on a machine that does not have the rule, or has more of what is short."""
    stations, ports, locations = dict(program.stations), dict(program.ports), dict(program.locations)
    if rule == "slots":
        stations = {name: replace(one, slots=one.slots + 1) for name, one in stations.items()}
    if rule == "interval":
        stations = {name: replace(one, interval=0) for name, one in stations.items()}
    if rule == "port slots":
        ports = {name: replace(one, count=one.count + 1) for name, one in ports.items()}
    if rule == "location slots":
        locations = {name: replace(one, slots=one.slots + 1) for name, one in locations.items()}
    body = tuple(_without(rule, program.body))
    return replace(program, body=body, stations=stations, ports=ports, locations=locations)


def _without(rule: str, body: tuple[Issue | Repeat, ...]) -> Iterator[Issue | Repeat]:
    for item in body:
        if isinstance(item, Repeat):
            yield replace(item, body=tuple(_without(rule, item.body)))
        elif rule == "latency":
            yield replace(item, steps=tuple(replace(step, latency=0) for step in item.steps))
        elif rule == "hold":
            yield replace(item, hold=item.latency)
        elif rule == "ports":
            yield replace(item, accesses=())
        elif rule == "reads":
            yield replace(item, reads=())
        elif rule == "writes":
            yield replace(item, writes=())
        elif rule == "updates":
            yield replace(item, updates=())
        else:
            yield item


@pytest.mark.full
@pytest.mark.usefixtures("leaping")
def test_many_more() -> None:
    rng = random.Random(0)
    for seed in rng.sample(range(10**9), 2_000):
        program = random_program(seed, depth=rng.randint(0, 4))
        assert computed(program) == seen(program), seed
        assert latency(program) == simulate(program).cycles, seed
