"""A worked example of each rule of ``accmine/kernel/program.py``, with its cycles by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from accmine.kernel.program import Access, Issue, Location, Port, Program, Station, Step

__all__ = ["EXAMPLES", "Times"]

Times = tuple[tuple[int, ...], tuple[int, ...], int, int]
"""Cycles of entering and of leaving each station of the path, of start and finish."""


def on(
    path: str,
    latency: int = 1,
    hold: int | None = None,
    *,
    ports: Mapping[str, int] | None = None,
    reads: str = "",
    writes: str = "",
    updates: str = "",
) -> Issue:
    """An instruction; ``f2 s0 u`` is two cycles in f, none in s, then the unit u."""
    *steps, unit = path.split()
    return Issue(
        f"on {unit}",
        tuple(Step(step[0], int(step[1:])) for step in steps),
        unit,
        latency,
        latency if hold is None else hold,
        tuple(Access(name, cycles) for name, cycles in (ports or {}).items()),
        tuple(reads.split()),
        tuple(writes.split()),
        tuple(updates.split()),
    )


def program(
    *body: Issue, slots: str = "", intervals: str = "", ports: str = "", locations: str = "", names: Iterable[str] = ()
) -> Program:
    """Stations as named by the body: 1 slot, interval 0, unless said as in ``f3``; ports and locations likewise."""
    count, interval = ({text[0]: int(text[1:]) for text in said.split()} for said in (slots, intervals))
    named = sorted({*names, *(s.station for i in body for s in i.steps), *(i.unit for i in body)})
    return Program(
        body,
        {name: Station(name, count.get(name, 1), interval.get(name, 0)) for name in named},
        {text[0]: Port(text[0], int(text[1:])) for text in ports.split()},
        {text[0]: Location(text[0], int(text[1:])) for text in locations.split()},
    )


EXAMPLES: dict[str, tuple[Program, list[Times]]] = {
    "latency": (program(on("f2 u", 3)), [((0, 2), (2, 5), 2, 5)]),
    "slot: the next enters in the cycle in which one leaves": (
        program(on("f2 u"), on("f2 u"), slots="u9"),
        [((0, 2), (2, 3), 2, 3), ((2, 4), (4, 5), 4, 5)],
    ),
    "interval": (
        program(on("u"), on("u"), on("u"), slots="u9", intervals="u3"),
        [((0,), (1,), 0, 1), ((3,), (4,), 3, 4), ((6,), (7,), 6, 7)],
    ),
    "order: the quick one behind the slow one waits": (
        program(on("f5 a"), on("f1 b"), slots="f3"),
        [((0, 5), (5, 6), 5, 6), ((0, 5), (5, 6), 5, 6)],
    ),
    "back-pressure: a unit that is busy fills the stage before it, then its entrance": (
        program(*[on("f0 u", 4)] * 4, slots="f2"),
        [
            ((0, 0), (0, 4), 0, 4),
            ((0, 4), (4, 8), 4, 8),
            ((0, 8), (8, 12), 8, 12),
            ((4, 12), (12, 16), 12, 16),
        ],
    ),
    "merging paths: program order, though the second one was there first": (
        program(on("f4 s1 u"), on("g0 s0 v"), slots="s2"),
        [((0, 4, 5), (4, 5, 6), 5, 6), ((0, 4, 5), (4, 5, 6), 5, 6)],
    ),
    "RAW: who waits for a value occupies its unit": (
        program(on("a", 5, writes="x"), on("b", reads="x"), on("b"), locations="x1"),
        [((0,), (5,), 0, 5), ((0,), (6,), 5, 6), ((6,), (7,), 6, 7)],
    ),
    "WAR": (
        program(on("a", 5, reads="x"), on("b", writes="x"), locations="x1"),
        [((0,), (5,), 0, 5), ((0,), (6,), 5, 6)],
    ),
    "WAW": (
        program(on("a", 5, writes="x"), on("b", writes="x"), locations="x1"),
        [((0,), (5,), 0, 5), ((0,), (6,), 5, 6)],
    ),
    "slots of a location: the third write takes the slot of the first, a read sees the last": (
        program(on("a", 5, writes="x"), on("b", writes="x"), on("b", reads="x"), on("b", writes="x"), locations="x2"),
        [((0,), (5,), 0, 5), ((0,), (1,), 0, 1), ((1,), (2,), 1, 2), ((2,), (6,), 5, 6)],
    ),
    "update: reads and writes the slot written last, takes no new one": (
        program(
            on("a", 4, writes="x"),
            on("b", 2, updates="x"),
            on("c", writes="x"),
            on("c", updates="x"),
            on("c", writes="x"),
            locations="x2",
        ),
        [((0,), (4,), 0, 4), ((0,), (6,), 4, 6), ((0,), (1,), 0, 1), ((1,), (2,), 1, 2), ((2,), (7,), 6, 7)],
    ),
    "update waits for the readers of its slot": (
        program(on("a", 5, reads="x"), on("b", updates="x"), locations="x3"),
        [((0,), (5,), 0, 5), ((0,), (6,), 5, 6)],
    ),
    "reads and writes the same location: the old slot is read": (
        program(on("a", 4, writes="x"), on("b", 3, reads="x", writes="x"), on("c", reads="x"), locations="x2"),
        [((0,), (4,), 0, 4), ((0,), (7,), 4, 7), ((0,), (8,), 7, 8)],
    ),
    "reads and writes the only slot: it does not wait for itself": (
        program(on("a", 4, reads="x", writes="x"), on("b", 3, reads="x", writes="x"), locations="x1"),
        [((0,), (4,), 0, 4), ((0,), (7,), 4, 7)],
    ),
    "port: held beyond the finish": (
        program(on("a", 2, ports={"p": 5}), on("b", ports={"p": 1}), ports="p1"),
        [((0,), (2,), 0, 2), ((0,), (6,), 5, 6)],
    ),
    "ports in turn: the third access waits for the first port, the fourth one does not wait for it": (
        program(
            on("a", ports={"p": 9}),
            on("b", ports={"p": 2}),
            on("c", ports={"p": 1}),
            on("d", ports={"p": 1}),
            ports="p2",
        ),
        [((0,), (1,), 0, 1), ((0,), (1,), 0, 1), ((0,), (10,), 9, 10), ((0,), (3,), 2, 3)],
    ),
    "two port groups: both at the start": (
        program(on("a", ports={"p": 3}), on("b", ports={"q": 4}), on("c", ports={"p": 1, "q": 1}), ports="p1 q1"),
        [((0,), (1,), 0, 1), ((0,), (1,), 0, 1), ((0,), (5,), 4, 5)],
    ),
    "slots of a unit in turn: the third waits for the slot of the first, the fourth behind it": (
        program(on("u", 9), on("u", 2), on("u"), on("u"), slots="u2"),
        [((0,), (9,), 0, 9), ((0,), (2,), 0, 2), ((9,), (10,), 9, 10), ((9,), (10,), 9, 10)],
    ),
    "slots of a unit: one that waits is passed by": (
        program(on("a", 5, writes="x"), on("u", reads="x"), on("u"), on("u"), slots="u2", locations="x1"),
        [((0,), (5,), 0, 5), ((0,), (6,), 5, 6), ((0,), (1,), 0, 1), ((6,), (7,), 6, 7)],
    ),
    "pipelined: left before the finish": (
        program(on("u", 6, 2), on("u", 6, 2)),
        [((0,), (2,), 0, 6), ((2,), (4,), 2, 8)],
    ),
    "recovering: left after the finish": (
        program(on("u", 1, 4), on("u", 1, 4)),
        [((0,), (4,), 0, 1), ((4,), (8,), 4, 5)],
    ),
    "no cycles at all: hand-over upon hand-over in one cycle": (
        program(*[on("f0 u", 0)] * 3),
        [((0, 0), (0, 0), 0, 0)] * 3,
    ),
}
