"""The JSON form of a sparse dataflow and of its solution.

.. code-block:: json

    {"kind": "sparse-dataflow", "name": "two",
     "layers": [{"name": "conv1", "channels_in": 3, "channels_out": 8, "kernel": [3, 3], "size_in": [32, 32],
                 "size_out": [32, 32],
                 "levels": [{"name": "none", "density": 1}, {"name": "half", "density": 0.5, "loss": 0.2}]},
                {"name": "fc", "channels_in": 8, "channels_out": 10, "cluster": 2,
                 "levels": [{"name": "none", "histogram": [0.25, 0.5, 0.25]}]}],
     "edges": [["conv1", "fc"]],
     "budget": {"dsp": 64, "lut": 50000, "bram18": 100, "bits_per_cycle": "3072/5", "loss": 1.5}}

A level has a density, of independent products, or the histogram of zero products per window: shares that sum to 1, or
counts of windows; a list of lists has one for each group of ``cluster`` input channels. Losses are in points; where
they come from may be said (``source``). With ``"least": {"of": "dsp", "interval": 1000}`` one of the resources, or the
loss, is minimised in place of the interval. A solution is
``{"layers": {"conv1": {"level": "half", "engine": "sparse", "coarse_in": 1, …}}}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from fractions import Fraction
from graphlib import CycleError, TopologicalSorter
from math import ceil, floor
from typing import Any

from accmine.errors import InputError
from accmine.problems.rows import Reader, near
from accmine.problems.sparse_dataflow.problem import KIND, MOST, Budget, Choice, Least, Problem, Solution
from accmine.problems.sparse_dataflow.rules import interval_of
from accmine.sparse.folding import ENGINES, MEMORIES, SLACKS, Folding
from accmine.sparse.layer import ONE_OF_BOTH, PARTS, POINT, Histogram, Layer, Level, binomial, histogram_of
from accmine.sparse.resources import DEFAULT_MODEL, RESOURCES, EngineModel

__all__ = ["read_problem", "read_solution", "write_problem", "write_solution"]

_KEYS = ("kind", "name", "layers", "edges", "budget", "model", "engines", "memories", "slacks", "least")
_NUMBERS = ("channels_in", "channels_out", "groups", "cluster")
_MOST_PRODUCTS = 1024  # of a window: each density is an exact binomial distribution
_PAIRS = ("kernel", "size_in", "size_out")
_LAYER = ("name", *_NUMBERS, *_PAIRS, "levels")
_LEVEL = ("name", "density", "histogram", "loss", "source")
_FOLDING = tuple(own.name for own in fields(Folding))
_BUDGET = tuple(own.name for own in fields(Budget))


class _Reader(Reader):
    """With pairs of numbers, lists of words, and histograms."""

    def amount(self, value: Any, path: str) -> Fraction:
        found = self.fraction(value, path)
        if found < 0:
            self.wrong(path, f"{value!s:.60} is not allowed; at least 0")
        return max(found, Fraction(0))

    def pair(self, value: Any, path: str) -> tuple[int, int]:
        if not isinstance(value, list) or len(value) != 2:
            self.wrong(path, f"{value!r:.60} is not allowed; [rows, columns] is needed")
            return 1, 1
        return self.whole(value[0], f"{path}[0]", 1), self.whole(value[1], f"{path}[1]", 1)

    def among(self, value: Any, path: str, allowed: tuple[Any, ...]) -> tuple[Any, ...]:
        found = tuple(self.rows(value, path))
        for i, word in enumerate(found):
            if word not in allowed or isinstance(word, bool):
                self.wrong(f"{path}[{i}]", f"{word!r:.60} is not allowed; allowed: {', '.join(map(str, allowed))}")
        if not found:
            self.wrong(path, f"nothing is left; allowed: {', '.join(map(str, allowed))}")
        return tuple(word for word in allowed if word in found) or allowed

    def histogram(self, value: Any, path: str, window: int) -> Histogram:
        given = self.rows(value, path)
        shares = [self.amount(share, f"{path}[{i}]") for i, share in enumerate(given)]
        try:
            return histogram_of(shares, window, all(isinstance(share, int) for share in given))
        except InputError as error:
            self.wrong(path, error.complaints[0].message)
        return (PARTS, *(0,) * window)


def read_problem(obj: Any, where: str = "") -> Problem:
    """The problem of a JSON object; see the head of this module.

    Raises
    ------
    InputError
        For unknown or missing keys and values that are not allowed; every complaint at once.
    """
    reader = _Reader(where)
    row = reader.mapping(obj, "", _KEYS, ("layers",))
    if row.get("kind", KIND) != KIND:
        reader.wrong("kind", f"{row['kind']!r:.60} is not allowed here; {KIND} is needed")
    layers: dict[str, Layer] = {}
    given = reader.rows(row.get("layers", []), "layers")
    for i, item in enumerate(given):
        layer = _layer(reader, item, f"layers[{i}]")
        if layer is not None and layer.name in layers:
            reader.wrong(f"layers[{i}].name", f"{layer.name!r} is there twice")
        if layer is not None:
            layers[layer.name] = layer
    if not layers and not reader.complaints:
        reader.wrong("layers", "no layer; at least one is needed")
    names = [str(item["name"]) for item in given if isinstance(item, Mapping) and "name" in item]  # wrong layers too
    edges = _edges(reader, row.get("edges", []), names)
    budget, model = _budget(reader, row.get("budget", {})), _model(reader, row.get("model", {}))
    words = {
        key: reader.among(row.get(key, list(allowed)), key, allowed)
        for key, allowed in (("engines", ENGINES), ("memories", MEMORIES), ("slacks", SLACKS))
    }
    name = reader.text(row.get("name", "network"), "name")
    least = None if row.get("least") is None else _least(reader, row["least"])
    if reader.complaints:
        raise InputError(reader.complaints)
    return Problem(tuple(layers.values()), tuple(edges), budget, model, **words, name=name, least=least)


def _layer(reader: _Reader, item: Any, at: str) -> Layer | None:
    before = len(reader.complaints)
    row = reader.mapping(item, at, _LAYER, ("name", "channels_in", "channels_out", "levels"))
    values: dict[str, Any] = {key: reader.whole(row.get(key, 1), f"{at}.{key}", 1) for key in _NUMBERS}
    values |= {key: reader.pair(row.get(key, [1, 1]), f"{at}.{key}") for key in _PAIRS}
    window = values["kernel"][0] * values["kernel"][1] * values["cluster"]
    if window > _MOST_PRODUCTS:
        key = "kernel" if values["cluster"] == 1 else "cluster"
        reader.wrong(f"{at}.{key}", f"windows of {window} products; at most {_MOST_PRODUCTS}")
        return None
    given = reader.rows(row.get("levels", []), f"{at}.levels")
    levels = [_level(reader, own, f"{at}.levels[{i}]", i, window) for i, own in enumerate(given)]
    name = reader.text(row.get("name", ""), f"{at}.name")
    if len(reader.complaints) > before:
        return None
    try:
        return Layer(name, **values, levels=tuple(levels))
    except InputError as error:
        for own in error.complaints:
            reader.wrong(f"{at}.{own.field}", own.message)
        return None


def _level(reader: _Reader, item: Any, at: str, index: int, window: int) -> Level:
    row = reader.mapping(item, at, _LEVEL)
    name = reader.text(row.get("name", str(index)), f"{at}.name")
    loss = ceil(reader.amount(row.get("loss", 0), f"{at}.loss") * POINT)  # and budgets down: no sum fits by rounding
    source = reader.text(row["source"], f"{at}.source") if "source" in row else ""
    if ("density" in row) == ("histogram" in row):
        reader.wrong(at, ONE_OF_BOTH["density" in row])
        return Level(name, (binomial(window, Fraction(1)),), loss, source)
    if "density" in row:
        density = reader.amount(row["density"], f"{at}.density")
        if density > 1:
            reader.wrong(f"{at}.density", f"{row['density']!s:.60} is not allowed; 0 to 1")
        return Level(name, (binomial(window, min(density, Fraction(1))),), loss, source)
    given = reader.rows(row["histogram"], f"{at}.histogram")
    if given and all(isinstance(own, list) for own in given):
        each = [reader.histogram(own, f"{at}.histogram[{i}]", window) for i, own in enumerate(given)]
        return Level(name, tuple(each), loss, source)
    return Level(name, (reader.histogram(given, f"{at}.histogram", window),), loss, source)


def _edges(reader: _Reader, value: Any, names: list[str]) -> list[tuple[int, int]]:
    before = len(reader.complaints)
    found = [_edge(reader, item, f"edges[{i}]", names) for i, item in enumerate(reader.rows(value, "edges"))]
    if len(reader.complaints) > before:
        return found
    order: TopologicalSorter[int] = TopologicalSorter()
    for i, j in found:
        order.add(j, i)
    try:
        order.prepare()
    except CycleError as error:
        round_ = " -> ".join(names[i] for i in error.args[1])
        reader.wrong("edges", f"{round_:.60} is a circle; layers of a pipeline feed later ones only")
    return found


def _edge(reader: _Reader, item: Any, at: str, names: list[str]) -> tuple[int, int]:
    ends = reader.rows(item, at)
    if len(ends) != 2:
        reader.wrong(at, f"{item!r:.60} is not allowed; [from, to], names of layers, is needed")
        return 0, 0
    for i, end in enumerate(ends):
        if end not in names:
            reader.wrong(f"{at}[{i}]", f"{end!r:.60} is no layer{near(str(end), names)}")
            return 0, 0
    return names.index(ends[0]), names.index(ends[1])


def _budget(reader: _Reader, item: Any) -> Budget:
    row = reader.mapping(item, "budget", _BUDGET)
    found: dict[str, Any] = {}
    for key, value in row.items():
        if value is None or key not in _BUDGET:
            continue
        if key == "bits_per_cycle":
            found[key] = reader.amount(value, f"budget.{key}")
        elif key == "loss":
            found[key] = min(MOST, floor(reader.amount(value, f"budget.{key}") * POINT))
        else:
            found[key] = reader.whole(value, f"budget.{key}", 0)
    return Budget(**found)


def _least(reader: _Reader, item: Any) -> Least:
    row = reader.mapping(item, "least", ("of", "interval"), ("of", "interval"))
    of, allowed = row.get("of", "loss"), (*RESOURCES, "loss")
    if of not in allowed:
        reader.wrong("least.of", f"{of!r:.60} is not allowed; allowed: {', '.join(allowed)}")
    return Least(str(of), reader.whole(row.get("interval", 1), "least.interval", 1))


def _model(reader: _Reader, item: Any) -> EngineModel:
    known = DEFAULT_MODEL.as_mapping()
    row = reader.mapping(item, "model", tuple(known))
    found: dict[str, Any] = {}
    for key, value in row.items():
        if key == "band":
            given = reader.rows(value, "model.band")
            ends = [float(reader.amount(end, f"model.band[{i}]")) for i, end in enumerate(given)]
            if len(ends) != 2 or not 0 < ends[0] <= 1 <= ends[1]:
                reader.wrong("model.band", f"{value!r:.60} is not allowed; [at most 1, at least 1] is needed")
            else:
                found[key] = (ends[0], ends[1])
        elif key == "source":
            found[key] = reader.text(value, "model.source")
        elif isinstance(known.get(key), int):
            found[key] = reader.whole(value, f"model.{key}", 1 if key.endswith("_bits") else 0)
        elif key in known:
            found[key] = float(reader.amount(value, f"model.{key}"))
    return EngineModel(**found)


def write_problem(problem: Problem) -> dict[str, Any]:
    """The JSON object of a problem."""
    names = [layer.name for layer in problem.layers]
    own = problem.budget
    budget: dict[str, Any] = {key: getattr(own, key) for key in _BUDGET if getattr(own, key) is not None}
    if own.bits_per_cycle is not None:
        rate = own.bits_per_cycle
        budget["bits_per_cycle"] = rate.numerator if rate.denominator == 1 else str(rate)
    if own.loss is not None:
        budget["loss"] = own.loss / POINT
    result: dict[str, Any] = {
        "kind": KIND,
        "name": problem.name,
        "layers": [_layer_row(layer) for layer in problem.layers],
        "edges": [[names[i], names[j]] for i, j in problem.edges],
        "budget": budget,
        "model": {**problem.model.as_mapping(), "band": list(problem.model.band)},
    }
    if problem.least is not None:
        result["least"] = {"of": problem.least.of, "interval": problem.least.interval}
    return result | {key: list(getattr(problem, key)) for key in ("engines", "memories", "slacks")}


def _layer_row(layer: Layer) -> dict[str, Any]:
    levels = []
    for level in layer.levels:
        shares = [[count / PARTS for count in own] for own in level.histograms]
        histogram = shares[0] if len(shares) == 1 else shares
        own = {"name": level.name, "histogram": histogram, "loss": level.loss / POINT}
        levels.append(own | ({"source": level.source} if level.source else {}))
    row = {key: getattr(layer, key) for key in ("name", "channels_in", "channels_out", "groups", "cluster")}
    return row | {key: list(getattr(layer, key)) for key in ("kernel", "size_in", "size_out")} | {"levels": levels}


def read_solution(problem: Problem, obj: Any, where: str = "") -> Solution:
    """The solution of a JSON object: level and folding of each layer by name.

    Raises
    ------
    InputError
        For a layer without choice, a name that is none, or a level that is not there.
    """
    reader = _Reader(where)
    row = reader.mapping(obj, "", ("interval", "layers"), ("layers",))
    names = [layer.name for layer in problem.layers]
    given = reader.mapping(row.get("layers", {}), "layers", names, names)
    choices = [_choice(reader, layer, given.get(layer.name, {}), f"layers.{layer.name}") for layer in problem.layers]
    if reader.complaints:
        raise InputError(reader.complaints)
    return Solution(tuple(choices))


def _choice(reader: _Reader, layer: Layer, item: Any, at: str) -> Choice:
    row: Mapping[str, Any] = reader.mapping(item, at, ("level", *_FOLDING), ("level", *_FOLDING[:5]))
    levels = [level.name for level in layer.levels]
    level = reader.text(row.get("level", levels[0]), f"{at}.level")
    if level not in levels:
        reader.wrong(f"{at}.level", f"{level!r:.60} is not there{near(level, levels)}; known: {', '.join(levels)}")
    own: dict[str, Any] = {key: reader.text(row.get(key, "bram"), f"{at}.{key}") for key in ("engine", "memory")}
    own |= {key: reader.whole(row.get(key, 1), f"{at}.{key}", 1) for key in _FOLDING if key not in own}
    return Choice(levels.index(level) if level in levels else 0, Folding(**own))


def write_solution(problem: Problem, solution: Solution) -> dict[str, Any]:
    """The JSON object of a solution, with its interval in cycles."""
    rows = {
        layer.name: {"level": layer.levels[own.level].name} | {key: getattr(own.folding, key) for key in _FOLDING}
        for layer, own in zip(problem.layers, solution.choices, strict=True)
    }
    return {"interval": interval_of(problem, solution), "layers": rows}
