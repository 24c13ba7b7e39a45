"""The JSON form of a device placement and of its solution: the names of the dataclasses, layers by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from accmine.errors import Complaint, InputError
from accmine.problems.device_placement.problem import (
    KIND,
    ORDERS,
    Edge,
    Layer,
    Option,
    Pipelining,
    Problem,
    Solution,
    StagePlan,
)
from accmine.problems.device_placement.rules import score, shown
from accmine.problems.rows import Reader, near
from accmine.system import Cluster, Level
from accmine.workload.shard import COLLECTIVES, Collective

__all__ = ["read_problem", "read_solution", "write_problem", "write_solution"]

_PROBLEM_KEYS = (
    "kind", "semantics", "devices", "microbatches", "memory_bytes", "cluster", "levels", "pipelinings", "orders",
    "zero", "pipeline", "data", "uniform", "expert", "gradient_overlap", "layers", "edges",
)  # fmt: skip
_LEVEL_KEYS = tuple(f.name for f in fields(Level))
_OPTION_KEYS = tuple(f.name for f in fields(Option))
_OPTION_DEFAULTS = {f.name: f.default for f in fields(Option) if f.name not in ("forward_s", "backward_s")}
_COLLECTIVES = ("forward_collectives", "backward_collectives")


class _Reader(Reader):
    """With values of a kind."""

    def of(self, kind: type[Any], value: Any, path: str, default: Any) -> Any:
        """A value of a kind: whole numbers may be written as floats without fraction."""
        if kind is int and isinstance(value, float) and value.is_integer():
            value = int(value)
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
            says = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}[kind]
            self.wrong(path, f"{value!r:.60} is not allowed; {says} is needed")
            return default
        if kind is float and not math.isfinite(value):
            self.wrong(path, f"{value!r} is not allowed; a finite number is needed")
            return default
        return value


def _collective(reader: _Reader, value: Any, path: str) -> Collective:
    row = reader.mapping(value, path, ("kind", "bytes", "group"), ("kind", "bytes"))
    kind, group = row.get("kind", COLLECTIVES[0]), row.get("group", "tensor")
    for key, given, allowed in (("kind", kind, COLLECTIVES), ("group", group, ("tensor", "expert"))):
        if given not in allowed:
            reader.wrong(f"{path}.{key}", f"{given!r:.60} is not allowed; allowed: {', '.join(allowed)}")
    return Collective(kind, reader.of(int, row.get("bytes", 0), f"{path}.bytes", 0), group)


def _option(reader: _Reader, value: Any, path: str) -> Option:
    row = reader.mapping(value, path, _OPTION_KEYS, ("forward_s", "backward_s"))
    values: dict[str, Any] = {}
    for key in _OPTION_KEYS:
        default = {"tensor": 1, "recompute": "none", "update_s": 0.0}.get(key, _OPTION_DEFAULTS.get(key, 0.0))
        at = f"{path}.{key}"
        if key in _COLLECTIVES:
            rows = reader.rows(row.get(key, []), at)
            values[key] = tuple(_collective(reader, c, f"{at}[{i}]") for i, c in enumerate(rows))
        else:
            kind = type(default) if key not in ("forward_s", "backward_s") else float
            values[key] = reader.of(kind, row.get(key, default), at, default)
    return Option(**values)


def _layer(reader: _Reader, value: Any, path: str, classes: dict[str, tuple[Option, ...]]) -> Layer:
    row = reader.mapping(value, path, ("name", "class", "options"), ("name",))
    name = reader.of(str, row.get("name", ""), f"{path}.name", "")
    own = reader.of(str, row.get("class", ""), f"{path}.class", "")
    if "options" not in row and own in classes:  # as the first layer of the class says
        return Layer(name, classes[own], own)
    if "options" not in row:
        reader.wrong(f"{path}.options", "missing: this is the first layer of its class")
    rows = reader.rows(row.get("options", []), f"{path}.options")
    options = tuple(_option(reader, o, f"{path}.options[{i}]") for i, o in enumerate(rows))
    if own:
        classes.setdefault(own, options)
    return Layer(name, options, own)


def _pipelining(reader: _Reader, value: Any, path: str) -> Pipelining:
    if isinstance(value, str):
        return Pipelining(value)
    row = reader.mapping(value, path, ("schedule", "chunks"), ("schedule",))
    schedule = reader.of(str, row.get("schedule", ""), f"{path}.schedule", "")
    return Pipelining(schedule, reader.of(int, row.get("chunks", 1), f"{path}.chunks", 1))


def _edge(reader: _Reader, value: Any, path: str, place: Mapping[str, int]) -> Edge:
    row = reader.mapping(value, path, ("from", "to", "bytes", "by_tensor"), ("from", "to", "bytes"))
    ends = []
    for key in ("from", "to"):
        name = row.get(key)
        if key in row and (not isinstance(name, str) or name not in place):
            guess = near(str(name), place)
            reader.wrong(f"{path}.{key}", f"{name!r:.60} is no layer{guess}")
        ends.append(place.get(name, 0) if isinstance(name, str) else 0)
    size = reader.of(int, row.get("bytes", 0), f"{path}.bytes", 0)
    pairs = reader.rows(row.get("by_tensor", []), f"{path}.by_tensor")
    whole = [p for p in pairs if isinstance(p, list) and len(p) == 2 and all(isinstance(v, int) for v in p)]
    if len(whole) < len(pairs):
        reader.wrong(f"{path}.by_tensor", "pairs [tensor degree, bytes] are needed")
    return Edge(ends[0], ends[1], size, tuple((p[0], p[1]) for p in whole))


def _cluster(reader: _Reader, row: Mapping[str, Any]) -> Cluster | None:
    name = reader.of(str, row.get("cluster", KIND), "cluster", KIND)
    levels = []
    for i, value in enumerate(reader.rows(row.get("levels", []), "levels")):
        at = f"levels[{i}]"
        level = reader.mapping(value, at, _LEVEL_KEYS, ("bytes_per_s", "latency_s"))
        devices = level.get("devices")
        levels.append(
            Level(
                reader.of(str, level.get("name", f"level {i}"), f"{at}.name", ""),
                None if devices is None else reader.of(int, devices, f"{at}.devices", 1),
                reader.of(float, level.get("bytes_per_s", 1.0), f"{at}.bytes_per_s", 1.0),
                reader.of(float, level.get("latency_s", 0.0), f"{at}.latency_s", 0.0),
                reader.of(str, level.get("topology", "switch"), f"{at}.topology", "switch"),
                reader.of(float, level.get("efficiency", 1.0), f"{at}.efficiency", 1.0),
                reader.of(float, level.get("start_s", 0.0), f"{at}.start_s", 0.0),
            )
        )
    try:
        return Cluster(name, tuple(levels))
    except InputError as error:
        names = {"bandwidth": "bytes_per_s", "latency": "latency_s", "collective_start": "start_s"}
        for c in error.complaints:
            place = c.field.split(".")
            inside = f"levels[{place[1]}].{names.get(place[2], place[2])}" if len(place) > 2 else "levels"
            reader.wrong(inside, c.message)
    return None


def read_problem(obj: Any, where: str = "") -> Problem:
    """The problem of a JSON object; layers of one ``class`` may leave their ``options`` to the first of them.

    Raises
    ------
    InputError
        For an unknown or missing key or a value that is not allowed; every complaint at once.
    """
    reader = _Reader(where)
    row = reader.mapping(
        obj, "", _PROBLEM_KEYS, ("devices", "microbatches", "memory_bytes", "levels", "layers", "edges")
    )
    if row.get("kind", KIND) != KIND:
        reader.wrong("kind", f"{row['kind']!r} is not allowed here; {KIND} is needed")
    classes: dict[str, tuple[Option, ...]] = {}
    rows = reader.rows(row.get("layers", []), "layers")
    layers = tuple(_layer(reader, value, f"layers[{i}]", classes) for i, value in enumerate(rows))
    place = {layer.name: i for i, layer in enumerate(layers)}
    rows = reader.rows(row.get("edges", []), "edges")
    values: dict[str, Any] = {
        "layers": layers,
        "edges": tuple(_edge(reader, value, f"edges[{i}]", place) for i, value in enumerate(rows)),
    }
    for key in ("devices", "microbatches", "memory_bytes"):
        values[key] = reader.of(int, row.get(key, 1), key, 1)
    for key, kind in (("semantics", str), ("uniform", bool), ("expert", int), ("gradient_overlap", float)):
        if key in row:
            values[key] = reader.of(kind, row[key], key, kind())
    for key in ("zero", "pipeline", "data"):
        if key in row:
            values[key] = tuple(reader.of(int, v, f"{key}[{i}]", 1) for i, v in enumerate(reader.rows(row[key], key)))
    if "pipelinings" in row:
        rows = reader.rows(row["pipelinings"], "pipelinings")
        values["pipelinings"] = tuple(_pipelining(reader, v, f"pipelinings[{i}]") for i, v in enumerate(rows))
    if "orders" in row:
        rows = reader.rows(row["orders"], "orders")
        values["orders"] = tuple(tuple(map(str, reader.rows(v, f"orders[{i}]"))) for i, v in enumerate(rows))
    values["cluster"] = _cluster(reader, row)
    for i, layer in enumerate(layers):
        for o, option in enumerate(layer.options):
            if option.tensor > 0 and values["devices"] % option.tensor:
                message = f"degree {option.tensor} does not divide {values['devices']} devices"
                reader.wrong(f"layers[{i}].options[{o}].tensor", message)
    if reader.complaints:
        raise InputError(reader.complaints)
    try:
        return Problem(**values)
    except InputError as error:
        raise InputError([Complaint(where, c.field, c.message) for c in error.complaints]) from None


def _written(option: Option) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for key in _OPTION_KEYS:
        value = getattr(option, key)
        if key in _COLLECTIVES:
            value = [{"kind": c.kind, "bytes": c.message_bytes, "group": c.group} for c in value]
        if key in ("tensor", "recompute", "forward_s", "backward_s") or value:
            row[key] = value
    return row


def write_problem(problem: Problem) -> dict[str, Any]:
    """The JSON object of a problem."""
    layers: list[dict[str, Any]] = []
    said: dict[str, tuple[Option, ...]] = {}
    for layer in problem.layers:
        row: dict[str, Any] = {"name": layer.name}
        if layer.layer_class:
            row["class"] = layer.layer_class
        if not layer.layer_class or said.get(layer.layer_class) != layer.options:
            row["options"] = [_written(option) for option in layer.options]
            said.setdefault(layer.layer_class, layer.options)
        layers.append(row)
    edges = []
    for edge in problem.edges:
        names = problem.layers[edge.source].name, problem.layers[edge.target].name
        row = {"from": names[0], "to": names[1], "bytes": edge.message_bytes}
        edges.append(row | ({"by_tensor": [list(p) for p in edge.by_tensor]} if edge.by_tensor else {}))
    pipelinings = [
        p.schedule if p.chunks == 1 else {"schedule": p.schedule, "chunks": p.chunks} for p in problem.pipelinings
    ]
    result: dict[str, Any] = {"kind": KIND}
    keys = ("semantics", "devices", "microbatches", "memory_bytes", "uniform", "expert", "gradient_overlap")
    result |= {key: getattr(problem, key) for key in keys}
    levels = [{k: v for k, v in asdict(level).items() if v is not None} for level in problem.cluster.levels]
    result |= {"cluster": problem.cluster.name, "levels": levels, "pipelinings": pipelinings}
    result |= {"orders": [list(order) for order in problem.orders], "zero": list(problem.zero)}
    result |= {key: list(values) for key in ("pipeline", "data") if (values := getattr(problem, key))}
    return result | {"layers": layers, "edges": edges}


def read_solution(problem: Problem, obj: Any, where: str = "") -> Solution:
    """The solution of a JSON object; ``step_s`` is not read.

    Raises
    ------
    InputError
        For an unknown or missing key, layer or kind of value.
    """
    reader = _Reader(where)
    row = reader.mapping(obj, "", ("data", "order", "pipelining", "zero", "step_s", "stages"), ("stages",))
    place = {layer.name: i for i, layer in enumerate(problem.layers)}
    stages = []
    for s, value in enumerate(reader.rows(row.get("stages", []), "stages")):
        at = f"stages[{s}]"
        stage = reader.mapping(value, at, ("layers", "tensor", "recompute"), ("layers",))
        layers = []
        for i, name in enumerate(reader.rows(stage.get("layers", []), f"{at}.layers")):
            if not isinstance(name, str) or name not in place:
                guess = near(str(name), place)
                reader.wrong(f"{at}.layers[{i}]", f"{name!r:.60} is no layer{guess}")
            else:
                layers.append(place[name])
        tensor = reader.of(int, stage.get("tensor", 1), f"{at}.tensor", 1)
        recompute = reader.of(str, stage.get("recompute", "none"), f"{at}.recompute", "none")
        stages.append(StagePlan(tuple(layers), tensor, recompute))
    order = tuple(map(str, reader.rows(row.get("order", list(ORDERS[0])), "order")))
    data = reader.of(int, row.get("data", 1), "data", 1)
    pipelining = _pipelining(reader, row.get("pipelining", problem.pipelinings[0].schedule), "pipelining")
    zero = reader.of(int, row.get("zero", 0), "zero", 0)
    if not stages:
        reader.wrong("stages", "at least one stage is needed")
    if min(data, pipelining.chunks) < 1:
        reader.wrong("data", "at least 1 replica and 1 chunk are needed")
    if reader.complaints:
        raise InputError(reader.complaints)
    return Solution(tuple(stages), data, order, pipelining, zero)


def write_solution(problem: Problem, solution: Solution) -> dict[str, Any]:
    """The JSON object of a solution."""
    pipelining = solution.pipelining
    return {
        "step_s": shown(problem, score(problem, solution)),
        "data": solution.data,
        "order": list(solution.order),
        "pipelining": {"schedule": pipelining.schedule, "chunks": pipelining.chunks},
        "zero": solution.zero,
        "stages": [
            {
                "layers": [problem.layers[i].name for i in plan.layers],
                "tensor": plan.tensor,
                "recompute": plan.recompute,
            }
            for plan in solution.stages
        ],
    }
