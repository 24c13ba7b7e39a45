"""Operator-schedule instances of the benchmarks: training graphs of the zoo, one operator on one core.

Durations are cycles of a 128 x 128 tensor core and a vector core of 128 lanes; nothing is fused, HBM is not a
resource, so that solvers without modes and bandwidth can be compared on equal terms. Several microbatches run side
by side: each has its own forward and backward operators, parameters are updated once all gradients are there.

Print the list with ``python benchmarks/instances.py``, or write one with
``python benchmarks/instances.py NAME CORES > problem.json``, e.g. ``gpt2-xl 4x4``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

import numpy as np

from accmine.cost import CostLibrary
from accmine.hardware import TensorCore, VectorCore, load_accelerator
from accmine.hardware.technology import load_technology
from accmine.problems.operator_schedule import ModeSet, Problem, problem_to_json
from accmine.workload import OperatorGraph, forward_graph, load_model, training_graph

__all__ = ["INSTANCES", "Instance", "problem", "random_layered", "small", "training_problem"]

MIB = 1 << 20
TENSOR = TensorCore(128, 128, 12 * MIB, "ws")
VECTOR = VectorCore(128, 1, 4 * MIB)


@dataclass(frozen=True)
class Instance:
    """What a graph is made of.

    Attributes
    ----------
    model, layers
        Of the zoo; transformers may be cut to fewer layers.
    microbatches
        Copies of forward and backward that share the update.
    heads
        Attention heads, where they are not those of the model.
    """

    model: str
    layers: int | None = None
    microbatches: int = 1
    heads: int | None = None


INSTANCES: dict[str, Instance] = {
    "gpt2-xl": Instance("gpt2-xl"),  # S1: 17,634 operators
    "gpt2-xl-3mb": Instance("gpt2-xl", layers=20, microbatches=3),  # S2: about 22 thousand
    "gpt2-200": Instance("gpt2-xl", layers=1, heads=10),
    "gpt2-1000": Instance("gpt2-xl", layers=3, heads=20),
    "gpt2-2000": Instance("gpt2-xl", layers=5),
    "gpt2-5000": Instance("gpt2-xl", layers=13),
    "resnet-18": Instance("resnet-18"),  # 221
    "resnet-50": Instance("resnet-50"),  # 565
    "resnet-50-2mb": Instance("resnet-50", microbatches=2),
    "inception-v3": Instance("inception-v3"),  # 1,055
    "resnext-101-2mb": Instance("resnext-101", microbatches=2),
    "inception-v3-5mb": Instance("inception-v3", microbatches=5),
}
"""Instances by name."""


@cache
def problem(name: str, tensor: int, vector: int) -> Problem:
    """The instance ``name`` on so many tensor and vector cores."""
    return replace(_graph_problem(name), capacity=np.array([tensor, vector], dtype=np.int64))


@cache
def _graph_problem(name: str) -> Problem:
    instance = INSTANCES[name]
    model = load_model(instance.model)
    changes = {"layers": instance.layers, "heads": instance.heads, "kv_heads": instance.heads}
    changes = {key: value for key, value in changes.items() if value is not None}
    if instance.heads is not None:
        changes["head_width"] = model.config.width // instance.heads
    if changes:
        model = replace(model, config=model.config.model_copy(update=changes))
    forward = forward_graph(model, batch=1, split="heads")
    graph = training_graph(forward, optimizer="adam", accumulate=instance.microbatches > 1)
    return training_problem(graph, instance.microbatches)


def training_problem(graph: OperatorGraph, microbatches: int = 1) -> Problem:
    """The schedule of a training graph with one copy of forward and backward per microbatch, on one core of a kind."""
    library = CostLibrary([graph], (1,), "scalesim3", load_technology("tpu-16nm"))
    costs = library.costs(replace(load_accelerator("tpuv2-like"), tensor=TENSOR, vector=VECTOR))
    at = library.index(graph)[graph.work_index]
    duration, tensor, vector = costs.cycles[at, 0], costs.uses_tensor[at], costs.uses_vector[at]
    update = np.array([operator.phase == "update" for operator in graph.operators])
    once = np.flatnonzero(~update)
    rows: list[tuple[str, int, int, int]] = []  # name, duration, tensor, vector
    places: list[dict[int, int]] = []
    edges: list[tuple[int, int]] = []

    def add(v: int, suffix: str) -> int:
        rows.append((graph.operators[v].name + suffix, int(duration[v]), int(tensor[v]), int(vector[v])))
        return len(rows) - 1

    for k in range(microbatches):
        suffix = f"@{k}" if microbatches > 1 else ""
        places.append({v: add(v, suffix) for v in once.tolist()})
    for v in np.flatnonzero(update).tolist():
        at_update = add(v, "")
        for own in places:
            own[v] = at_update
    for own in places:
        edges += [(own[a], own[b]) for a, b in graph.edges.tolist()]
    for earlier, later in pairwise(places):  # a gradient is added to that of the microbatch before
        edges += [(earlier[v], later[v]) for v in _accumulating(graph)]
    return _problem(rows, edges)


def _accumulating(graph: OperatorGraph) -> list[int]:
    """Operators that write the gradient of a parameter, which an update reads."""
    update = {v for v, operator in enumerate(graph.operators) if operator.phase == "update"}
    return sorted({a for a, b in graph.edges.tolist() if b in update and a not in update})


def _problem(rows: list[tuple[str, int, int, int]], edges: list[tuple[int, int]]) -> Problem:
    sets: dict[tuple[int, int, int], int] = {}
    index = [sets.setdefault(row[1:], len(sets)) for row in rows]
    modes = tuple(ModeSet(np.array([d]), np.array([[t, v]])) for d, t, v in sets)
    pairs = np.array(sorted(set(edges)), dtype=np.int64).reshape(-1, 2)
    names = tuple(row[0] for row in rows)
    return Problem(("tensor", "vector"), np.array([1, 1]), names, modes, np.array(index, dtype=np.int64), pairs)


def random_layered(operations: int, width: int, cores: tuple[int, int], seed: int) -> Problem:
    """Layers of random width, each operation behind one to three of the layer before; durations over three decades."""
    random = np.random.default_rng(seed)
    rows: list[tuple[str, int, int, int]] = []
    edges: list[tuple[int, int]] = []
    before: list[int] = []
    while len(rows) < operations:
        layer = list(range(len(rows), min(operations, len(rows) + int(random.integers(1, width + 1)))))
        for i in layer:
            is_tensor = int(random.random() < 0.5)
            rows.append((f"o{i}", int(10 ** random.uniform(1, 4)), is_tensor, 1 - is_tensor))
            if before:
                chosen = random.choice(before, size=min(len(before), int(random.integers(1, 4))), replace=False)
                edges += [(int(a), i) for a in chosen]
        before = layer
    return replace(_problem(rows, edges), capacity=np.array(cores, dtype=np.int64))


def small(seeds: range) -> Iterator[Problem]:
    """Random small problems of 8 to 40 operations on one to three cores of a kind."""
    for seed in seeds:
        random = np.random.default_rng(seed)
        cores = (int(random.integers(1, 4)), int(random.integers(1, 4)))
        yield random_layered(int(random.integers(8, 41)), int(random.integers(2, 8)), cores, seed)


def main() -> None:
    """Print the instances, or one of them as a problem file."""
    if len(sys.argv) == 3:
        tensor, vector = (int(count) for count in sys.argv[2].split("x"))
        print(json.dumps(problem_to_json(problem(sys.argv[1], tensor, vector))))
        return
    for name in INSTANCES:
        found = _graph_problem(name)
        print(f"{name:<18}{len(found):>7} operations{len(found.edges):>8} edges")


if __name__ == "__main__":
    main()
