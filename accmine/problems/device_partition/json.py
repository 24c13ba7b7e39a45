"""The JSON form of a device partition and of its solution, and how decimals become ticks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from accmine.errors import Complaint, InputError
from accmine.problems.device_partition.problem import KIND, MOST_TICKS, Node, Problem, Solution, score, shown
from accmine.problems.rows import Reader, whole_by_name

__all__ = ["decimals_of", "read_problem", "read_solution", "ticks", "write_problem", "write_solution"]

_KEYS = ("kind", "devices", "memory_bytes", "contiguous", "nodes", "edges")
_NODE_KEYS = ("name", "time", "send", "memory_bytes", "group")


def decimals_of(values: Sequence[Decimal | int | float]) -> tuple[int, bool]:
    """(digits behind the point that all values need, or for which their sum has room; whether that is fewer)."""
    numbers = [_decimal(v).normalize() for v in values]
    needed = max([0, *(-int(n.as_tuple().exponent) for n in numbers)])
    total, room = sum(map(abs, numbers), Decimal(0)), needed
    while room and 3 * total.scaleb(room) > MOST_TICKS // 2:
        room -= 1
    return room, room < needed


def _decimal(value: Decimal | int | float) -> Decimal:
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def ticks(value: Decimal | int | float, decimals: int) -> int:
    """A value in ticks, rounded up."""
    return math.ceil(_decimal(value).scaleb(decimals))


class _Reader(Reader):
    """With exact decimals."""

    def number(self, value: Any, path: str) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            self.wrong(path, f"{value!r:.60} is not allowed; a number is needed")
            return Decimal(0)
        return _decimal(value)

    def whole(self, value: Any, path: str, least: int | None = None) -> int:
        number = self.number(value, path)
        return super().whole(int(number) if number == int(number) else value, path, least)


def read_problem(obj: Any, where: str = "") -> Problem:
    """The problem of a JSON object.

    Raises
    ------
    InputError
        For unknown or missing keys and values that are not allowed; every complaint at once.
    """
    reader = _Reader(where)
    row = reader.mapping(obj, "", _KEYS, ("devices", "nodes", "edges"))
    if row.get("kind", KIND) != KIND:
        reader.wrong("kind", f"{row['kind']!r} is not allowed here; {KIND} is needed")
    raw = []
    for i, value in enumerate(reader.rows(row.get("nodes", []), "nodes")):
        at = f"nodes[{i}]"
        node = reader.mapping(value, at, _NODE_KEYS, ("name", "time"))
        times = [reader.number(node.get(key, 0), f"{at}.{key}") for key in ("time", "send")]
        words = [reader.text(node.get(key, ""), f"{at}.{key}") for key in ("name", "group")]
        raw.append((words, times, reader.whole(node.get("memory_bytes", 0), f"{at}.memory_bytes")))
    decimals, rounded = decimals_of([time for _, times, _ in raw for time in times])
    nodes = tuple(
        Node(name, ticks(times[0], decimals), ticks(times[1], decimals), size, group)
        for (name, group), times, size in raw
    )
    place = {node.name: i for i, node in enumerate(nodes)}
    edges = []
    for i, pair in enumerate(reader.rows(row.get("edges", []), "edges")):
        ends = list(map(str, pair)) if isinstance(pair, list) and len(pair) == 2 else [repr(pair), repr(pair)]
        for name in ends:
            if name not in place:
                reader.wrong(f"edges[{i}]", f"{name:.60} is no node; a pair of names is needed")
        edges.append((place.get(ends[0], 0), place.get(ends[1], 0)))
    limit = row.get("memory_bytes")
    fields: dict[str, Any] = {
        "devices": reader.whole(row.get("devices", 1), "devices"),
        "memory_bytes": None if limit is None else reader.whole(limit, "memory_bytes"),
        "contiguous": row.get("contiguous", True),
    }
    if not isinstance(fields["contiguous"], bool):
        reader.wrong("contiguous", f"{fields['contiguous']!r:.60} is not allowed; true or false is needed")
    if reader.complaints:
        raise InputError(reader.complaints)
    try:
        return Problem(nodes, tuple(edges), decimals=decimals, rounded=rounded, **fields)
    except InputError as error:
        raise InputError([Complaint(where, c.field, c.message) for c in error.complaints]) from None


def write_problem(problem: Problem) -> dict[str, Any]:
    """The JSON object of a problem; times as decimal numbers, which floats of up to 15 digits are."""
    nodes = []
    for node in problem.nodes:
        row: dict[str, Any] = {"name": node.name, "time": node.time / 10**problem.decimals}
        if node.send:
            row["send"] = node.send / 10**problem.decimals
        row |= {key: value for key in ("memory_bytes", "group") if (value := getattr(node, key))}
        nodes.append(row)
    result: dict[str, Any] = {"kind": KIND, "devices": problem.devices, "contiguous": problem.contiguous}
    if problem.memory_bytes is not None:
        result["memory_bytes"] = problem.memory_bytes
    edges = [[problem.nodes[u].name, problem.nodes[v].name] for u, v in problem.edges]
    return result | {"nodes": nodes, "edges": edges}


def read_solution(problem: Problem, obj: Any, where: str = "") -> Solution:
    """The solution of a JSON object: the device of each node by name.

    Raises
    ------
    InputError
        For a node without device or a name that is no node.
    """
    return Solution(whole_by_name(obj, where, "devices", [node.name for node in problem.nodes], ("load",)))


def write_solution(problem: Problem, solution: Solution) -> dict[str, Any]:
    """The JSON object of a solution."""
    names = [node.name for node in problem.nodes]
    return {
        "load": shown(problem, score(problem, solution)),
        "devices": dict(zip(names, solution.device, strict=True)),
    }
