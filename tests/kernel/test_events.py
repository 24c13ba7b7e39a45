"""The event graph is the recurrence again; copies that are handed on are no events."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from accmine.errors import InputError
from accmine.kernel.events import event_graph, flat, machine
from accmine.kernel.graph import Dependence, EventGraph
from accmine.kernel.program import Access, Issue, Location, Port, Program, Repeat, Station, Step
from accmine.kernel.recurrence import run
from tests.kernel.programs import random_program


def looped(program: Program, trips: int) -> Program:
    return replace(program, body=(Repeat(trips, program.body),))


def finish(graph: EventGraph, trips: int) -> int:
    """The greatest finish of a graph that is played from cycle 0 on."""
    into: dict[int, list[Dependence]] = defaultdict(list)
    for one in graph.dependences:
        into[one.target].append(one)
    times: list[list[int]] = []
    for k in range(trips):
        now: list[int] = []
        times.append(now)
        for event in range(len(graph.events)):
            terms = (times[k - one.distance][one.source] + one.weight for one in into[event] if one.distance <= k)
            now.append(max(0, *terms, 0))
    ends = [place for place, event in enumerate(graph.events) if event.what == "finish"]
    return max(now[place] for now in times for place in ends)


def with_slots(program: Program, rng: random.Random, choices: tuple[int, ...]) -> Program:
    def some(of: Mapping[str, Any], what: str) -> Mapping[str, Any]:
        return {name: replace(one, **{what: rng.choice(choices)}) for name, one in of.items()}

    return replace(
        program,
        stations=some(program.stations, "slots"),
        ports=some(program.ports, "count"),
        locations=some(program.locations, "slots"),
    )


@pytest.mark.parametrize("seed", range(40))
def test_a_graph_takes_as_long_as_the_program(seed: int) -> None:
    program = with_slots(random_program(seed, depth=1, most=12), random.Random(seed), (1, 2, 3, 7, 40))
    graph = event_graph(looped(program, 13))
    assert finish(graph, 13) == run(looped(program, 13)).latency
    assert graph == event_graph(program, program.body)
    assert all(one.distance > 0 or one.source < one.target for one in graph.dependences)
    assert all(0 <= end < len(graph.events) for one in graph.dependences for end in (one.source, one.target))


def test_dependences_say_the_rule_and_how_many_iterations() -> None:
    a = Issue("a", (Step("f", 1),), "u", 7, 2, (Access("p", 4),), reads=("r",), writes=("x",), updates=("c",))
    b = Issue("b", (), "v", 3, 3, reads=("x",))
    stations = {"f": Station("f", 5, 1), "u": Station("u", 2), "v": Station("v")}
    locations = {name: Location(name, slots) for name, slots in (("r", 1), ("x", 3), ("c", 4))}
    graph = event_graph(Program((a, b), stations, {"p": Port("p", 2)}, locations))
    names = [f"{event.what} {event.at}" for event in graph.events]
    assert names == [
        "enter f",
        "leave f",
        "start u",
        "finish u",
        "leave u",
        "enter v",
        "start v",
        "finish v",
        "leave v",
    ]
    said = {(names[d.source], names[d.target], d.weight, d.distance, d.rule, d.on) for d in graph.dependences}
    assert said == {
        ("leave f", "enter f", 0, 5, "slot", "f"),
        ("enter f", "enter f", 1, 1, "interval", "f"),
        ("enter f", "leave f", 1, 0, "latency", "f"),
        ("leave f", "leave f", 0, 1, "order", "f"),
        ("leave u", "leave f", 0, 2, "slot", "u"),
        ("leave f", "leave f", 0, 1, "interval", "u"),
        ("leave f", "start u", 0, 0, "latency", "u"),
        ("start u", "start u", 4, 2, "port", "p"),
        ("finish u", "start u", 0, 1, "RAW", "c"),
        ("finish u", "start u", 0, 1, "WAW", "c"),
        ("finish u", "start u", 0, 3, "WAW", "x"),
        ("finish v", "start u", 0, 3, "WAR", "x"),
        ("start u", "finish u", 7, 0, "latency", "u"),
        ("start u", "leave u", 2, 0, "hold", "u"),
        ("leave v", "enter v", 0, 1, "slot", "v"),
        ("enter v", "enter v", 0, 1, "interval", "v"),
        ("enter v", "start v", 0, 0, "latency", "v"),
        ("finish u", "start v", 0, 0, "RAW", "x"),
        ("start v", "finish v", 3, 0, "latency", "v"),
        ("start v", "leave v", 3, 0, "latency", "v"),
    }


def test_a_billion_slots_are_a_distance_not_a_billion_iterations() -> None:
    a = Issue("a", (Step("f", 1),), "u", 3, 3)
    graph = event_graph(Program((a, a), {"f": Station("f", 10**9 + 1), "u": Station("u")}))
    slots = {(one.source, one.target, one.distance) for one in graph.dependences if (one.rule, one.on) == ("slot", "f")}
    # leaving f is events 1 and 6; 10^9 + 1 instructions before the first of a body is a second
    assert slots == {(6, 0, 500_000_001), (1, 5, 500_000_000)}


def test_rings_are_as_long_as_can_be_waited_for() -> None:
    a = Issue("a", (), "u", 3, 3, (Access("p", 1),), writes=("x",))
    program = Program((Repeat(6, (a,)),), {"u": Station("u", 5)}, {"p": Port("p", 6)}, {"x": Location("x", 6)})
    lengths = machine(program).lengths
    assert (lengths[("leave", "u")], lengths[("free", "p")], lengths[("busy", "x")]) == (5, 1, 6)
    assert machine(program, endless=True).lengths[("free", "p")] == 6


def test_what_is_too_much_is_refused() -> None:
    a = Issue("a", (), "u", 1, 1)
    with pytest.raises(InputError, match=r"1,000,000,000,000 instructions .* at most 1,000,000"):
        flat((Repeat(10**6, (Repeat(10**6, (a,)),)),))
    with pytest.raises(InputError, match="10,000,000"):
        machine(Program((Repeat(10**9, (a,)),), {"u": Station("u", 10**8)}))
