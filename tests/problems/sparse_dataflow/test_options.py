"""The tables of solvers against the scalar formulas, one folding after the other."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import Any

import pytest

from accmine.errors import InputError
from accmine.problems.sparse_dataflow import Budget, Least, Problem, options, tabulate
from accmine.sparse.engine import MICRO
from accmine.sparse.folding import DENSE, ENGINES, MEMORIES, SLACKS, Folding, divisors, fines
from accmine.sparse.layer import Histogram, Layer, Level, binomial, in_parts
from accmine.sparse.rate import cycles
from accmine.sparse.resources import EngineModel, used


def any_histogram(draw: random.Random, window: int) -> Histogram:
    weights = [draw.choice([0, draw.randint(1, 100)]) for _ in range(window)] + [draw.randint(1, 50)]
    return in_parts([Fraction(own, sum(weights)) for own in weights])


def any_layer(seed: int) -> Layer:
    """Kernels, groups, clusters, rectangular maps; levels of one histogram, and of one for each group of channels."""
    draw = random.Random(seed)
    groups, cluster = draw.choice([1, 1, 2, 4]), draw.choice([1, 2, 3])
    channels_in, channels_out = groups * cluster * draw.choice([1, 2, 6]), groups * draw.choice([1, 3, 8])
    kernel = draw.choice([(1, 1), (3, 3), (1, 3), (2, 2)])
    window = kernel[0] * kernel[1] * cluster
    levels = [Level("none", (binomial(window, Fraction(draw.randint(2, 10), 10)),))]
    levels += [
        Level(str(i), tuple(any_histogram(draw, window) for _ in range(channels_in // cluster)), i) for i in (1, 2)
    ]
    size_in = draw.randint(3, 90), draw.randint(3, 700)
    size_out = draw.randint(1, 50), draw.randint(1, 50)
    return Layer("own", channels_in, channels_out, kernel, size_in, size_out, groups, cluster, tuple(levels))


def any_problem(seed: int) -> Problem:
    draw = random.Random(seed)
    bits = draw.choice([(16, 16), (8, 8), (4, 4), (20, 30), (8, 2)])
    shares: dict[str, Any] = {
        key: draw.choice([0.0, 0.25, 0.34, 1.7])
        for key in ("squeeze_lut_per_bit", "crossbar_lut_per_bit", "tree_lut_per_bit")
    }
    model = EngineModel(*bits, sum_bits=draw.choice([24, 32]), window_ff_per_bit=draw.choice([0.5, 1.0, 1.3]), **shares)
    words = {
        key: tuple(own for own in every if draw.random() < 0.7) or every
        for key, every in (("engines", ENGINES), ("memories", MEMORIES), ("slacks", SLACKS))
    }
    return Problem((any_layer(seed),), model=model, **words)  # type: ignore[arg-type]


def foldings(problem: Problem, layer: Layer) -> list[Folding]:
    found = []
    for engine in problem.engines:
        for ci, co, cg in product(
            divisors(layer.channels_in // (layer.groups * layer.cluster)),
            divisors(layer.channels_out // layer.groups),
            divisors(layer.groups),
        ):
            slacks = (1,) if engine == DENSE else problem.slacks
            for fine, memory, slack in product(fines(layer, engine), problem.memories, slacks):
                found.append(Folding(engine, ci, co, cg, fine, memory, slack))
    return found


@pytest.mark.parametrize("seed", range(40))
def test_tables_equal_the_scalar_formulas(seed: int) -> None:
    problem = any_problem(seed)
    layer = problem.layers[0]
    (table,) = tabulate(problem)
    every = foldings(problem, layer)
    assert [table.choice(0, i).folding for i in range(len(table.rows))] == every
    assert table.loss.tolist() == [level.loss for level in layer.levels]
    draw = random.Random(seed)
    for i in sorted(draw.sample(range(len(every)), min(len(every), 400))):
        own = every[i]
        assert table.use[i].tolist() == list(used(layer, own, problem.model)), own
        assert table.streams[i].tolist() == [own.streams_in(layer), own.streams_out], own
        assert table.cycles[:, i].tolist() == [cycles(layer, level, own) for level in layer.levels], own


def test_equal_layers_share_one_table() -> None:
    first = any_layer(1)
    other = Layer(**{key: getattr(first, key) for key in first.__dataclass_fields__} | {"name": "other"})
    tables = tabulate(Problem((first, any_layer(2), other), budget=Budget(dsp=5)))
    assert tables[0] is tables[2]
    assert tables[0] is not tables[1]


def test_too_many_foldings_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "MOST_FOLDINGS", 5)
    with pytest.raises(InputError, match=r"own: .* foldings, at most 5 are tabulated"):
        tabulate(any_problem(5))


@pytest.mark.parametrize("seed", range(40))
def test_no_folding_takes_more_logic_than_is_looked_at(seed: int) -> None:
    problem = any_problem(seed)
    (table,) = tabulate(problem)
    most = options._most_logic(problem, problem.layers[0], table.rows)
    assert (table.use[:, 1] + table.use[:, 2]).max() * MICRO <= most < 1 << 62


@pytest.mark.parametrize(
    ("layer", "model"),
    [
        (Layer("own", 65536, 65536, cluster=1024, levels=(Level("0", (binomial(1024, Fraction(1)),)),)), EngineModel()),
        (any_layer(1), EngineModel(engine_lut=1 << 45)),
        (any_layer(1), EngineModel(adapter_ff_per_bit=1e12)),
    ],
)
def test_logic_that_passes_64_bits_is_refused(layer: Layer, model: EngineModel) -> None:
    with pytest.raises(InputError, match=r"^layers\[0\]: .* takes more LUTs or registers than are exact"):
        tabulate(Problem((layer,), model=model, engines=("sparse",), slacks=(1,)))


def test_a_problem_has_the_tables_of_the_one_it_was_made_of() -> None:
    layer = Layer("own", 8, 8, (1, 1), (4, 4), (4, 4), levels=(Level("none", (binomial(1, Fraction(1, 2)),)),))
    own = Problem((layer,), (), Budget(dsp=8))
    for alike in (
        replace(own, budget=Budget(lut=9)),
        replace(own, least=Least("lut", 999)),
        replace(own, name="other"),
    ):
        assert tabulate(alike) is tabulate(own)
    for other in (replace(own, slacks=(4,)), replace(own, memories=("uram",)), replace(own, model=EngineModel(8, 8))):
        found = tabulate(other)
        assert found is not tabulate(own)
        assert found[0].choice(0, 0).folding.memory == other.memories[0]
