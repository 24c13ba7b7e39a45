"""The JSON form of operator schedules and their solutions.

.. code-block:: json

    {"kind": "operator-schedule",
     "resources": {"tensor": 4, "hbm": 1000},
     "operations": [
       {"name": "a", "duration": 12, "uses": {"tensor": 1, "hbm": 310}},
       {"name": "b", "modes": [{"duration": 9, "uses": {"tensor": 1}},
                               {"duration": 5, "uses": {"tensor": 2}}], "after": ["a"]}]}

Durations are integers. With ``"time_unit"`` (seconds per time unit, a decimal number or string) all
durations are seconds and must be whole multiples of it; start times and makespans count time units.
A solution is ``{"start": {name: time}, "mode": {name: index}}``; operations with one mode need no
``mode``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

import numpy as np

from accmine.errors import Complaint, InputError
from accmine.problems.operator_schedule.precedence import find_cycle, order_of
from accmine.problems.operator_schedule.problem import KIND, MAX_TIME, ModeSet, Problem, Solution

__all__ = ["read_problem", "read_solution", "write_problem", "write_solution"]

_TOP = ("kind", "name", "resources", "time_unit", "operations")
_OPERATION = ("name", "duration", "uses", "modes", "after")
_MODE = ("duration", "uses")

_ModeKey = tuple[tuple[int, tuple[int, ...]], ...]


def _number(value: Any) -> Fraction | None:
    """An exact number from an integer, a decimal or a decimal string; ``None`` if it is none of these."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return Fraction(value)
    if isinstance(value, float):
        value = repr(value)  # the shortest decimal that reads back as this float
    if isinstance(value, str | Decimal):
        try:
            number = Decimal(value)
        except InvalidOperation:
            return None
        # A huge exponent would make a huge integer; nothing of that size is valid anyway.
        return Fraction(number) if number.is_finite() and abs(number.adjusted()) < 400 else None
    return None


@dataclass
class _Reader:
    """Reads one problem and collects everything that is wrong with it."""

    where: str
    resources: dict[str, int] = field(default_factory=dict)
    unit: Fraction | None = None
    complaints: list[Complaint] = field(default_factory=list)

    def complain(self, path: str, message: str) -> None:
        """Note one thing wrong at ``path``."""
        self.complaints.append(Complaint(self.where, path, message))

    def known_keys(self, obj: Mapping[str, Any], allowed: tuple[str, ...], path: str) -> None:
        """Complain about keys that mean nothing."""
        for key in obj:
            if key not in allowed:
                at = f"{path}.{key}" if path else str(key)
                self.complain(at, f"unknown key; allowed: {', '.join(allowed)}")

    def amount(self, value: Any, path: str) -> int:
        """An integer from 0 to the largest allowed; 0 after a complaint."""
        if type(value) is int and 0 <= value <= MAX_TIME:  # the common case, without a fraction
            return value
        number = _number(value)
        if number is None or number.denominator != 1 or isinstance(value, str):
            self.complain(path, f"needs an integer, got {value!r}")
        elif not 0 <= number <= MAX_TIME:
            self.complain(path, f"must lie in 0..{MAX_TIME}, got {value}")
        else:
            return int(number)
        return 0

    def duration(self, value: Any, path: str) -> int:
        """Time units, scaled exactly; 0 after a complaint."""
        if type(value) is int and self.unit is None and 0 <= value <= MAX_TIME:
            return value
        number = _number(value)
        if number is None or (isinstance(value, str) and self.unit is None):
            self.complain(path, f"needs a number, got {value!r}")
            return 0
        ticks = number if self.unit is None else number / self.unit
        if ticks < 0:
            self.complain(path, f"must not be negative, got {value}")
        elif self.unit is None and ticks.denominator != 1:
            self.complain(path, f"decimal duration {value} needs a time_unit that divides all durations")
        elif self.unit is not None and ticks.denominator != 1:
            self.complain(path, f"{value} is not a whole multiple of the time_unit {_decimal(self.unit)}")
        elif ticks > MAX_TIME:
            self.complain(path, f"must be at most {MAX_TIME} time units, got {value}")
        else:
            return int(ticks)
        return 0

    def uses(self, value: Any, path: str) -> tuple[int, ...]:
        """Amount of every resource, in their order."""
        if not isinstance(value, Mapping):
            self.complain(path, f"needs an object of amounts by resource, got {value!r}")
            return (0,) * len(self.resources)
        for name in value:
            if name not in self.resources:
                known = ", ".join(self.resources) or "none"
                self.complain(f"{path}.{name}", f"unknown resource; known: {known}")
        return tuple(self.amount(value[r], f"{path}.{r}") if r in value else 0 for r in self.resources)

    def modes(self, obj: Mapping[str, Any], path: str) -> _ModeKey:
        """The modes of one operation; empty after a complaint."""
        if "modes" not in obj:
            if "duration" not in obj:
                self.complain(path, "needs a duration, or modes")
                return ()
            return (
                (self.duration(obj["duration"], f"{path}.duration"), self.uses(obj.get("uses", {}), f"{path}.uses")),
            )
        for key in ("duration", "uses"):
            if key in obj:
                self.complain(f"{path}.{key}", "stands beside modes; give it in each mode")
        listed = obj["modes"]
        if not isinstance(listed, list) or not listed:
            self.complain(f"{path}.modes", "needs a list of at least one mode")
            return ()
        modes = []
        for k, mode in enumerate(listed):
            at = f"{path}.modes[{k}]"
            if not isinstance(mode, Mapping) or "duration" not in mode:
                self.complain(at, "needs an object with a duration")
                continue
            self.known_keys(mode, _MODE, at)
            modes.append(
                (self.duration(mode["duration"], f"{at}.duration"), self.uses(mode.get("uses", {}), f"{at}.uses"))
            )
        return tuple(modes)

    def header(self, obj: Mapping[str, Any]) -> None:
        """Kind, resources and time unit."""
        if obj.get("kind", KIND) != KIND:
            self.complain("kind", f"is {obj['kind']!r}, not {KIND!r}")
        self.known_keys(obj, _TOP, "")
        resources = obj.get("resources", {})
        if isinstance(resources, Mapping):
            self.resources = {str(k): self.amount(v, f"resources.{k}") for k, v in resources.items()}
        else:
            self.complain("resources", "needs an object of capacities by name")
        if obj.get("time_unit") is not None:
            unit = _number(obj["time_unit"])
            if unit is None or unit <= 0:
                self.complain("time_unit", f"needs a positive decimal number, got {obj['time_unit']!r}")
            else:
                self.unit = unit


def read_problem(obj: Any, where: str = "") -> Problem:
    """The problem of a JSON object.

    Parameters
    ----------
    obj
        As of ``json.loads``; floating-point numbers are taken as the decimals they print as.
    where
        Name of the file, for messages.

    Raises
    ------
    InputError
        With everything that is wrong: unknown keys, resources and operations, duplicate names, negative,
        inexact or too large numbers, and cycles (one is named).
    """
    reader = _Reader(where)
    if not isinstance(obj, Mapping):
        raise InputError(f"needs a JSON object of kind {KIND}", where)
    reader.header(obj)
    operations = obj.get("operations")
    if not isinstance(operations, list):
        reader.complain("operations", "needs a list of operations")
        raise InputError(reader.complaints)
    names: dict[str, int] = {}
    keys: dict[_ModeKey, int] = {}
    mode_set: list[int] = []
    waits: list[tuple[str, Any]] = []
    longest_total = 0
    capacity = tuple(reader.resources.values())
    for i, given in enumerate(operations):
        path = f"operations[{i}]"
        operation = given
        if not isinstance(given, Mapping):
            reader.complain(path, f"needs an object, got {given!r}")
            operation = {"name": path, "duration": 0}
        reader.known_keys(operation, _OPERATION, path)
        name = operation.get("name")
        if not isinstance(name, str) or not name:
            reader.complain(f"{path}.name", f"needs a name, got {name!r}")
            name = path
        if name in names:
            reader.complain(f"{path}.name", f"{name!r} is already the name of operations[{names[name]}]")
        names.setdefault(name, i)
        modes = reader.modes(operation, path)
        longest_total += max((duration for duration, _ in modes), default=0)
        mode_set.append(keys.setdefault(modes, len(keys)))
        waits.append((f"{path}.after", operation.get("after", [])))
    if longest_total > MAX_TIME:
        reader.complain("operations", f"durations sum to {longest_total}, more than {MAX_TIME} time units")
    edges = _edges(reader, names, waits)
    if reader.complaints:
        raise InputError(reader.complaints)
    return Problem(
        resources=tuple(reader.resources),
        capacity=np.array(capacity, dtype=np.int64),
        names=tuple(names),
        mode_sets=tuple(_mode_set(key, len(capacity)) for key in keys),
        mode_set=np.array(mode_set, dtype=np.int64),
        edges=edges,
        time_unit=None if reader.unit is None else _decimal(reader.unit),
    )


def _mode_set(key: _ModeKey, resources: int) -> ModeSet:
    return ModeSet(
        np.array([duration for duration, _ in key], dtype=np.int64),
        np.array([uses for _, uses in key], dtype=np.int64).reshape(len(key), resources),
    )


def _edges(reader: _Reader, names: dict[str, int], waits: list[tuple[str, Any]]) -> Any:
    """(before, after) pairs; complains about unknown names and one cycle."""
    pairs: list[tuple[int, int]] = []
    for i, (path, after) in enumerate(waits):
        if not isinstance(after, list):
            reader.complain(path, f"needs a list of names, got {after!r}")
            continue
        for k, name in enumerate(after):
            if not isinstance(name, str) or name not in names:
                reader.complain(f"{path}[{k}]", f"unknown operation {name!r}")
            else:
                pairs.append((names[name], i))
    edges = np.array(list(dict.fromkeys(pairs)), dtype=np.int64).reshape(-1, 2)
    cycle = find_cycle(order_of(len(waits), edges))
    if cycle:
        by_index = {i: name for name, i in names.items()}
        text = " -> ".join(by_index.get(i, f"operations[{i}]") for i in [*cycle, cycle[0]])
        reader.complain(f"operations[{cycle[0]}].after", f"operations wait for each other: {text}")
    return edges


def _decimal(number: Fraction) -> str:
    """Exact decimal text of a fraction whose denominator divides a power of ten."""
    digits = 0
    while (number * 10**digits).denominator != 1:
        digits += 1
    text = str(int(number * 10**digits))
    if digits:
        text = text.rjust(digits + 1, "0")
        text = f"{text[:-digits]}.{text[-digits:]}"
    return text


def _time(ticks: int, unit: Fraction | None) -> int | float | str:
    """A duration as it is written: an integer, or seconds as a number that reads back exactly."""
    if unit is None:
        return ticks
    exact = _decimal(ticks * unit)
    as_float = float(exact)
    return as_float if _number(as_float) == ticks * unit else exact


def write_problem(problem: Problem) -> dict[str, Any]:
    """The JSON object of a problem; ``read_problem`` gives the same problem back."""
    unit = None if problem.time_unit is None else Fraction(Decimal(problem.time_unit))
    modes_of: list[list[dict[str, Any]]] = []
    for modes in problem.mode_sets:
        rows = zip(modes.duration.tolist(), modes.uses.tolist(), strict=True)
        modes_of.append(
            [
                {
                    "duration": _time(duration, unit),
                    "uses": {r: u for r, u in zip(problem.resources, uses, strict=True) if u},
                }
                for duration, uses in rows
            ]
        )
    after: list[list[str]] = [[] for _ in problem.names]
    for a, b in problem.edges.reshape(-1, 2).tolist():
        after[b].append(problem.names[a])
    operations = []
    for name, index, before in zip(problem.names, problem.mode_set.tolist(), after, strict=True):
        modes_json = modes_of[index]
        own = modes_json[0] if len(modes_json) == 1 else {"modes": modes_json}
        operations.append({"name": name, **own, "after": before})
    header: dict[str, Any] = {
        "kind": KIND,
        "resources": dict(zip(problem.resources, problem.capacity.tolist(), strict=True)),
    }
    if problem.time_unit is not None:
        header["time_unit"] = problem.time_unit
    return {**header, "operations": operations}


def read_solution(problem: Problem, obj: Any, where: str = "") -> Solution:
    """The solution of a JSON object; what it says may still violate the problem (see ``check``).

    Raises
    ------
    InputError
        If a name is unknown or missing, or a value is no integer.
    """
    reader = _Reader(where)
    if not isinstance(obj, Mapping) or not isinstance(obj.get("start"), Mapping):
        raise InputError('needs a solution {"start": {name: time}, "mode": {name: index}}', where)
    reader.known_keys(obj, ("start", "mode"), "")
    values: dict[str, Mapping[str, Any]] = {"start": obj["start"], "mode": obj.get("mode", {})}
    if not isinstance(values["mode"], Mapping):
        raise InputError("needs an object of mode indices by name", where, "mode")
    known = set(problem.names)
    for what, by_name in values.items():
        for name in by_name:
            if name not in known:
                reader.complain(f"{what}.{name}", "unknown operation")
    start = np.zeros(len(problem), dtype=np.int64)
    mode = np.zeros(len(problem), dtype=np.int64)
    count = problem.mode_count[problem.mode_set].tolist() if len(problem) else []
    for i, name in enumerate(problem.names):
        if name in values["start"]:
            start[i] = _signed(reader, values["start"][name], f"start.{name}")
        else:
            reader.complain(f"start.{name}", "is missing")
        if name in values["mode"]:
            mode[i] = _signed(reader, values["mode"][name], f"mode.{name}")
        elif count[i] > 1:
            reader.complain(f"mode.{name}", f"is missing; {name} has {count[i]} modes")
    if reader.complaints:
        raise InputError(reader.complaints)
    return Solution(start, mode)


def _signed(reader: _Reader, value: Any, path: str) -> int:
    """An integer of either sign: that a start is negative is for ``check`` to say."""
    number = _number(value)
    if number is None or number.denominator != 1 or isinstance(value, str) or abs(number) > MAX_TIME:
        reader.complain(path, f"needs an integer up to {MAX_TIME}, got {value!r}")
        return 0
    return int(number)


def write_solution(problem: Problem, solution: Solution) -> dict[str, Any]:
    """The JSON object of a solution: starts in time units; modes of the operations that have a choice."""
    count = problem.mode_count[problem.mode_set].tolist() if len(problem) else []
    return {
        "start": dict(zip(problem.names, solution.start.tolist(), strict=True)),
        "mode": {name: m for name, m, c in zip(problem.names, solution.mode.tolist(), count, strict=True) if c > 1},
    }
