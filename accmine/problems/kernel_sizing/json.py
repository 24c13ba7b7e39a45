"""The JSON form of a kernel sizing and of its solution.

.. code-block:: json

    {"kind": "kernel-sizing", "target": "21/2",
     "stations": [{"name": "fetch", "slots": 4, "interval": 1}, {"name": "dma", "slots": 1}],
     "ports": [{"name": "spad.write", "count": 1}],
     "locations": [{"name": "spad.A", "slots": [{"count": 1, "cost": 100}, {"count": 2, "cost": 200}]}],
     "body": [{"label": "load", "steps": [{"station": "fetch", "latency": 1}], "unit": "dma", "latency": 20,
               "hold": 8, "accesses": [{"port": "spad.write", "hold": 4}], "writes": ["spad.A"]}]}

A list in place of a count makes it a choice. A target is cycles per iteration: a number, or a fraction as a text. A
solution is ``{"counts": {"spad.A": 2}}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from accmine.errors import Complaint, InputError
from accmine.kernel.program import Access, Issue, Location, Port, Program, Station, Step
from accmine.problems.kernel_sizing.problem import KIND, Choice, Problem, Solution, rate_of
from accmine.problems.rows import Reader, near, whole_by_name

__all__ = ["read_problem", "read_solution", "write_problem", "write_solution"]

_KEYS = ("kind", "name", "target", "stations", "ports", "locations", "body")
_ISSUE_KEYS = ("label", "steps", "unit", "latency", "hold", "accesses", "reads", "writes", "updates")


class _Reader(Reader):
    """With counts that may be free."""

    choices: list[Choice]

    def count(self, what: str, name: str, value: Any, path: str) -> int:
        """A count; of a list, which is a choice, any of its counts."""
        if not isinstance(value, list):
            return self.whole(value, path)
        costs = []
        for i, item in enumerate(value):
            row = self.mapping(item, f"{path}[{i}]", ("count", "cost"), ("count", "cost"))
            pair = [self.whole(row.get(key, 1), f"{path}[{i}].{key}") for key in ("count", "cost")]
            costs.append((pair[0], pair[1]))
        self.choices.append(Choice(what, name, tuple(costs)))
        return costs[0][0] if costs else 1

    def named(self, row: Mapping[str, Any], key: str, keys: tuple[str, ...]) -> list[tuple[str, Mapping[str, Any]]]:
        """(name, object) of every row of a list, whose names differ."""
        found: list[tuple[str, Mapping[str, Any]]] = []
        seen: set[str] = set()
        for i, item in enumerate(self.rows(row.get(key, []), key)):
            own = self.mapping(item, f"{key}[{i}]", keys, keys[:1])
            name = self.text(own.get("name", ""), f"{key}[{i}].name")
            if name in seen:
                self.wrong(f"{key}[{i}].name", f"{name!r} is there twice")
            seen.add(name)
            found.append((name, own))
        return found

    def texts(self, row: Mapping[str, Any], path: str, known: Mapping[str, Any]) -> tuple[str, ...]:
        found = tuple(self.text(item, f"{path}[{i}]") for i, item in enumerate(self.rows(row, path)))
        for i, name in enumerate(found):
            self.known(name, f"{path}[{i}]", known)
        return found

    def known(self, name: str, path: str, known: Mapping[str, Any]) -> str:
        if name not in known:
            self.wrong(path, f"{name!r:.60} is not there{near(name, known)}")
        return name


def read_problem(obj: Any, where: str = "") -> Problem:
    """The problem of a JSON object; see the head of this module.

    Raises
    ------
    InputError
        For unknown or missing keys and values that are not allowed; every complaint at once.
    """
    reader = _Reader(where)
    reader.choices = []
    row = reader.mapping(obj, "", _KEYS, ("target", "stations", "body"))
    if row.get("kind", KIND) != KIND:
        reader.wrong("kind", f"{row['kind']!r:.60} is not allowed here; {KIND} is needed")
    target = reader.fraction(row.get("target", 1), "target")
    stations, ports, locations = {}, {}, {}
    for i, (name, own) in enumerate(reader.named(row, "stations", ("name", "slots", "interval"))):
        slots = reader.count("station", name, own.get("slots", 1), f"stations[{i}].slots")
        stations[name] = Station(name, slots, reader.whole(own.get("interval", 0), f"stations[{i}].interval"))
    for i, (name, own) in enumerate(reader.named(row, "ports", ("name", "count"))):
        ports[name] = Port(name, reader.count("port", name, own.get("count", 1), f"ports[{i}].count"))
    for i, (name, own) in enumerate(reader.named(row, "locations", ("name", "slots"))):
        slots = reader.count("location", name, own.get("slots", 1), f"locations[{i}].slots")
        locations[name] = Location(name, slots)
    resources = Program((), stations, ports, locations)
    body = [
        _issue(reader, item, f"body[{i}]", resources) for i, item in enumerate(reader.rows(row.get("body", []), "body"))
    ]
    name = reader.text(row.get("name", "kernel"), "name")
    if reader.complaints:
        raise InputError(reader.complaints)
    program = Program(tuple(body), stations, ports, locations, name)
    try:
        return Problem(program, tuple(reader.choices), target)
    except InputError as error:
        raise InputError([Complaint(where, c.field, c.message) for c in error.complaints]) from None


def _issue(reader: _Reader, value: Any, at: str, resources: Program) -> Issue:
    row = reader.mapping(value, at, _ISSUE_KEYS, ("label", "unit", "latency"))
    latency = reader.whole(row.get("latency", 1), f"{at}.latency")
    steps, accesses = [], []
    for i, item in enumerate(reader.rows(row.get("steps", []), f"{at}.steps")):
        place = f"{at}.steps[{i}]"
        own = reader.mapping(item, place, ("station", "latency"), ("station",))
        name = reader.known(reader.text(own.get("station", ""), place), f"{place}.station", resources.stations)
        steps.append(Step(name, reader.whole(own.get("latency", 0), f"{place}.latency")))
    for i, item in enumerate(reader.rows(row.get("accesses", []), f"{at}.accesses")):
        place = f"{at}.accesses[{i}]"
        own = reader.mapping(item, place, ("port", "hold"), ("port", "hold"))
        name = reader.known(reader.text(own.get("port", ""), place), f"{place}.port", resources.ports)
        accesses.append(Access(name, reader.whole(own.get("hold", 1), f"{place}.hold")))
    parts = (reader.texts(row.get(key, []), f"{at}.{key}", resources.locations) for key in _ISSUE_KEYS[-3:])
    return Issue(
        reader.text(row.get("label", ""), f"{at}.label"),
        tuple(steps),
        reader.known(reader.text(row.get("unit", ""), f"{at}.unit"), f"{at}.unit", resources.stations),
        latency,
        reader.whole(row.get("hold", latency), f"{at}.hold"),
        tuple(accesses),
        *parts,
    )


def write_problem(problem: Problem) -> dict[str, Any]:
    """The JSON object of a problem."""
    program = problem.program
    free = {
        (own.what, own.name): [{"count": count, "cost": cost} for count, cost in own.costs] for own in problem.choices
    }
    stations = [
        {"name": name, "slots": free.get(("station", name), own.slots), "interval": own.interval}
        for name, own in program.stations.items()
    ]
    ports = [{"name": name, "count": free.get(("port", name), own.count)} for name, own in program.ports.items()]
    locations = [
        {"name": name, "slots": free.get(("location", name), own.slots)} for name, own in program.locations.items()
    ]
    body = []
    for own in program.body:
        assert isinstance(own, Issue)
        row: dict[str, Any] = {"label": own.label, "unit": own.unit, "latency": own.latency, "hold": own.hold}
        row["steps"] = [{"station": step.station, "latency": step.latency} for step in own.steps]
        row["accesses"] = [{"port": access.port, "hold": access.hold} for access in own.accesses]
        row |= {key: list(getattr(own, key)) for key in ("reads", "writes", "updates")}
        body.append({key: value for key, value in row.items() if value != []})
    result: dict[str, Any] = {"kind": KIND, "name": program.name, "target": str(problem.target), "stations": stations}
    if problem.target.denominator == 1:
        result["target"] = problem.target.numerator
    return result | {"ports": ports, "locations": locations, "body": body}


def read_solution(problem: Problem, obj: Any, where: str = "") -> Solution:
    """The solution of a JSON object: the count of each free resource by name.

    Raises
    ------
    InputError
        For a resource without count or a name that is none.
    """
    names = [own.name for own in problem.choices]
    return Solution(whole_by_name(obj, where, "counts", names, ("cycles_per_iteration",)))


def write_solution(problem: Problem, solution: Solution) -> dict[str, Any]:
    """The JSON object of a solution, with the rate that it reaches."""
    names = [own.name for own in problem.choices]
    rate, _ = rate_of(problem, solution)
    return {"cycles_per_iteration": str(rate), "counts": dict(zip(names, solution.counts, strict=True))}
