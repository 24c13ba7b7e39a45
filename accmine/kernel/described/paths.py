"""The one path of every mnemonic through the stages of an architecture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from accmine.kernel.architecture import Architecture, Stage
from accmine.kernel.described.expression import Complaints

__all__ = ["paths"]


def paths(architecture: Architecture) -> dict[str, tuple[str, ...]]:
    """The one path of every mnemonic: stages from the fetch on, and the unit.

    Raises
    ------
    InputError
        For no fetch stage or several, stages in a circle, dead ends, what cannot be reached, and a mnemonic with
        several paths.
    """
    found = Complaints(architecture.document)
    stages, units = architecture.stages, architecture.units
    fetch = _fetch(found, stages)
    _check_edges(found, architecture)
    found.raise_any()
    order = _order(found, stages, fetch)
    found.raise_any()
    ways: dict[str, int] = {fetch: 1}
    before: dict[str, list[str]] = {}
    for name in order:
        for below in stages[name].to:
            ways[below] = ways.get(below, 0) + ways[name]
            before.setdefault(below, []).append(name)
    places = {name: stage.place for name, stage in stages.items()} | {name: unit.place for name, unit in units.items()}
    for name, place in places.items():
        if name not in ways:
            found.add(place, f"{name!r} is not reached from the fetch stage {fetch!r}", key=True)
    routes: dict[str, tuple[str, ...]] = {}
    for unit in units.values():
        for number, mnemonic in enumerate(unit.mnemonics):
            route = _route(before, unit.name) if unit.name in ways else ()
            other = routes.get(mnemonic) or (_route(before, unit.name, last=True) if ways.get(unit.name, 1) > 1 else ())
            if other:
                both = " and ".join(" > ".join(path) for path in (other, route))
                found.add((*unit.place, "executes", number), f"{mnemonic!r} has more than one path: {both}")
            routes[mnemonic] = route
    found.raise_any()
    return routes


def _fetch(found: Complaints, stages: Mapping[str, Stage]) -> str:
    fetches = [stage for stage in stages.values() if stage.kind == "fetch"]
    if len(fetches) != 1:
        places = [stage.place for stage in fetches[1:]] or [("stages",)]
        says = f"{len(fetches)} stages are of kind fetch" if fetches else "no stage is of kind fetch"
        found.add(places[0], f"{says}; exactly one is needed", key=True)
    return fetches[0].name if fetches else ""


def _check_edges(found: Complaints, architecture: Architecture) -> None:
    stages, units = architecture.stages, architecture.units
    for stage in stages.values():
        if not stage.to:
            found.add((*stage.place, "to"), f"{stage.name!r} forwards to nothing; allowed: stages and units")
        for number, name in enumerate(stage.to):
            own = (*stage.place, "to", number)
            if name not in stages and name not in units:
                found.unknown(own, f"there is no stage or unit {name!r}", name, (*stages, *units))
            elif name in stages and stage.kind == "execute":
                found.add(own, f"{name!r} is a stage; an execute stage contains units, other stages forward to stages")
            elif name in stages and stages[name].kind == "fetch":
                found.add(own, f"{name!r} is the fetch stage, to which nothing forwards")
    places = {**architecture.registers, **architecture.memories}
    for unit in units.values():
        for key, names in (("reads", unit.reads), ("writes", unit.writes)):
            for number, name in enumerate(names):
                if name not in places:
                    says = f"there is no register file or memory {name!r}"
                    found.unknown((*unit.place, key, number), says, name, places)


def _order(found: Complaints, stages: Mapping[str, Stage], fetch: str) -> list[str]:
    """Stages that are reached, each before those that it forwards to; a complaint about a circle."""
    order: list[str] = []
    state: dict[str, bool] = {}  # False: on the way from the fetch stage
    for start in (fetch, *stages):
        trail: list[tuple[str, Iterator[str]]] = [(start, iter(stages[start].to))] if start not in state else []
        state.setdefault(start, False)
        while trail:
            name, rest = trail[-1]
            below = next((item for item in rest if item in stages and state.get(item) is not True), None)
            if below is None:
                state[name] = True
                order.append(name)
                trail.pop()
            elif below in state:
                names = [item for item, _ in trail]
                circle = [*names[names.index(below) :], below]
                found.add((*stages[name].place, "to"), f"stages forward in a circle: {' > '.join(circle)}")
                return []
            else:
                state[below] = False
                trail.append((below, iter(stages[below].to)))
        if start == fetch:
            reached = order[::-1]
    return reached


def _route(before: Mapping[str, list[str]], unit: str, last: bool = False) -> tuple[str, ...]:
    """A path to a unit: through the first stage that leads to each, or through the last."""
    route = [unit]
    while route[-1] in before:
        route.append(before[route[-1]][-1 if last else 0])
    return tuple(route[::-1])
