"""What is no device placement, and says so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from accmine.errors import InputError
from accmine.problems.device_placement import Edge, Layer, Option, Pipelining, Problem
from accmine.system import Cluster, Level

ONE = (Option(1, "none", 1.0, 2.0, 0.5),)
CLUSTER = Cluster("c", (Level("all", 16, 1e9, 1e-6),))


def line(count: int = 3, **changes: Any) -> Problem:
    values: dict[str, Any] = {
        "layers": tuple(Layer(f"l{i}", ONE) for i in range(count)),
        "edges": tuple(Edge(i, i + 1, 10) for i in range(count - 1)),
        "devices": 8,
        "microbatches": 4,
        "memory_bytes": 100,
        "cluster": CLUSTER,
    }
    return Problem(**(values | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"edges": (Edge(0, 1, 1), Edge(1, 2, 1), Edge(2, 1, 1))}, "edges: the layers form a cycle.*'l1', 'l2'"),
        ({"edges": (Edge(0, 1, 1),)}, r"edges: 2 layers wait for nothing \('l0', 'l2'\)"),
        ({"edges": (Edge(0, 1, 1), Edge(0, 1, 2), Edge(1, 2, 1))}, r"edges\[1\]: these two layers are joined twice"),
        ({"edges": (Edge(0, 7, 1),)}, r"edges\[0\]: joins layers 0 and 7 of 3"),
        ({"pipeline": (4,)}, r"pipeline\[0\]: 4 stages for 3 layers"),
        ({"pipelinings": (Pipelining("interleaved", 2),), "pipeline": (2,)}, "2 stages of 2 chunks for 3 layers"),
        ({"data": (5,)}, r"data\[0\]: 5 replicas cannot share 4 microbatches"),
        ({"data": (9,)}, r"data\[0\]: 9 replicas on 8 devices"),
        ({"data": (3,), "expert": 2}, "hold no whole expert groups of 2"),
        ({"expert": 5}, "expert: 5 devices of an expert group"),
        ({"devices": 32}, "32 devices; all, the outermost level, joins 16"),
        ({"zero": (4,)}, r"zero\[0\]: 4 is not allowed; allowed: 0, 1, 2, 3"),
        ({"orders": (("tensor", "data"),)}, r"orders\[0\].*tensor, data, pipeline"),
        ({"pipelinings": (Pipelining("2f2b"),)}, r"pipelinings\[0\].schedule: '2f2b' is not allowed"),
        ({"pipelinings": (Pipelining("1f1b", 2),)}, r"pipelinings\[0\].chunks: 1f1b has one stage per device"),
        ({"gradient_overlap": 1.5}, "gradient_overlap: 1.5"),
        ({"semantics": "nest"}, "semantics: 'nest' is not allowed; allowed: accmine, phaze"),
        ({"memory_bytes": 0}, "memory_bytes: 0"),
        ({"layers": ()}, "at least one layer"),
    ],
)
def test_it_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        line(**changes)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (replace(ONE[0], tensor=16), "tensor: degree 16 is not allowed; 1 to 8 are"),
        (replace(ONE[0], forward_s=float("nan")), "forward_s: nan"),
        (replace(ONE[0], weight_s=3.0), "weight_s: 3.0 is more than the whole backward pass"),
        (replace(ONE[0], stash_bytes=-1), "stash_bytes: -1"),
    ],
)
def test_options_are_refused_with_their_place(option: Option, message: str) -> None:
    layers = (Layer("l0", ONE), Layer("l1", (*ONE, replace(option, recompute="full"))))
    with pytest.raises(InputError, match=rf"layers\[1\].options\[1\].{message}"):
        line(layers=layers, edges=(Edge(0, 1, 1),))


def test_twins_among_options_are_refused() -> None:
    with pytest.raises(InputError, match="must differ in tensor degree"):
        line(layers=(Layer("l0", ONE * 2),), edges=())


def test_order_and_chain() -> None:
    skip = line(edges=(Edge(0, 1, 1), Edge(1, 2, 1), Edge(0, 2, 1)))
    assert skip.chain
    fork = line(edges=(Edge(0, 2, 1), Edge(0, 1, 1)))
    assert fork.order_of_layers == (0, 1, 2)
    assert not fork.chain
    back = line(edges=(Edge(2, 0, 1), Edge(0, 1, 1)))
    assert back.order_of_layers == (2, 0, 1)
    assert back.chain
