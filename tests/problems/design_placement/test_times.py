"""Modules make stages, and the times of stages are added up by the device placement alone."""

from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from accmine.problems.design_placement import problem_on
from accmine.problems.design_placement.times import class_at, composed, module_graphs
from tests.samples.placement_sample import classes, placement_problem


def test_modules_compose_stages() -> None:
    assert composed(7, {1: 10.0, 2: 18.0, 4: 33.0}) == 33 + 18 + 10
    assert composed(6, {4: 33.0, 1: 10.0}) == 53
    assert composed(0, {}) == 0
    assert composed(3, {2: 1.0}) == inf


@given(st.integers(1, 9), st.dictionaries(st.integers(1, 4), st.floats(0.1, 9), min_size=1))
def test_no_composition_is_shorter(layers: int, modules: dict[int, float]) -> None:
    def least(left: int) -> float:
        return min((t + least(left - k) for k, t in modules.items() if k <= left), default=inf) if left else 0.0

    assert composed(layers, modules) == least(layers) or abs(composed(layers, modules) - least(layers)) < 1e-9


def test_modules_have_the_operators_of_their_layers() -> None:
    layer = classes(3, 1, 1, "none")[1]
    for repeats in (1, 2, 3):
        forward, backward, update = module_graphs(layer, repeats)
        assert len(forward) == repeats * len(layer.forward)
        assert len(backward) == repeats * len(layer.backward)
        assert update is layer.update


def test_layers_stand_in_their_places_with_what_their_class_gives() -> None:
    problem = placement_problem()
    variant = problem.variants[-1]
    assert class_at(variant) == (0, 1, 1, 1, 2)
    equal = problem_on(problem, variant, 1 << 24, [(float(kind + 1), 2.0, 3.0) for kind in class_at(variant)])
    assert [layer.layer_class for layer in equal.layers] == ["embeddings", "layer", "layer", "layer", "head"]
    assert equal.microbatches == 4
    assert equal.layers[4].options[0].forward_s == 3.0
    assert equal.layers[1].options[0].stash_bytes == variant.classes[1].memory.stash
    assert equal.edges[1].message_bytes == variant.classes[1].sends_bytes
    uneven = problem_on(problem, variant, 1 << 24, [(float(i + 1), 2.0, 3.0) for i in range(5)])
    assert [layer.layer_class for layer in uneven.layers] == ["embeddings", "", "", "", "head"]
