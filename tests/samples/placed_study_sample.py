"""Tiny studies whose placement is decided, and a solution of one that no solver of placements made."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from accmine.files import load_yaml, validate
from accmine.plan import PlacementPlan, make_placement
from accmine.ports import Stop
from accmine.problems.design_placement.problem import ModuleSchedule, Problem, Solution
from accmine.problems.design_placement.times import module_graphs
from accmine.problems.design_search.lowering import lower
from accmine.problems.device_placement import Solution as Placement
from accmine.problems.device_placement import StagePlan
from accmine.solving import solve
from accmine.study import LoadedStudy, Study, read_inputs
from tests.samples.search_sample import folder

MODEL = """
name: deep
family: gpt2
layers: 4
width: 32
heads: 4
vocabulary: 64
positions: 16
sequence: 8
"""

CLUSTER = """
name: tiny
levels:
  - {name: node, devices: 2, bandwidth: 10 GB/s, latency: 1 us}
  - {name: all, devices: 8, bandwidth: 1 GB/s, latency: 2 us}
"""

SPACE: dict[str, Any] = {"tensor_cores": [1, 2], "tensor_dim": [4, 8], "vector_cores": [1], "vector_lanes": [8]}


@lru_cache(maxsize=1)
def written() -> Path:
    """A folder with the model, the cluster and the baseline."""
    path = folder()
    (path / "deep.yaml").write_text(MODEL)
    (path / "tiny-cluster.yaml").write_text(CLUSTER)
    return path


def placed_text(*, parallel: dict[str, Any] | None = None, workload: dict[str, Any] | None = None, **more: Any) -> str:
    """A tiny study as JSON, which is YAML; further keys as in a study."""
    path = written()
    base = str(path / "base.yaml")
    table = {
        "name": "tiny placement",
        "workloads": [{"use": str(path / "deep.yaml"), "batch": 16, "microbatch": [1, 2], **(workload or {})}],
        "accelerator": {"use": base, **SPACE},
        "system": {"devices": 8, "cluster": str(path / "tiny-cluster.yaml")},
        "parallel": {"tensor": [1, 2], "pipeline": "auto", "data": "auto", **(parallel or {})},
        "baseline": base,
        "baselines": [base],
        "budget": {"seconds": 20, "workers": 1},
        **more,
    }
    return json.dumps(table)


def loaded(text: str) -> LoadedStudy:
    """A study that was read."""
    document = load_yaml(text=text, name="tiny.yaml")
    return LoadedStudy(validate(document, Study), document, Path("tiny.yaml"))


def placement_plan(**keys: Any) -> PlacementPlan:
    """The plan of a tiny study; keys as ``placed_text``."""
    asked = loaded(placed_text(**keys))
    return make_placement(asked.study, read_inputs(asked))


def some_solution(problem: Problem, *, variant: int = 0, stages: int = 2, data: int = 2) -> Solution:
    """The first design, a cut into equal stages, and list schedules of single layers."""
    from accmine.hardware import DesignSpace

    own, design = problem.variants[variant], next(iter(DesignSpace(problem.template)))
    schedules = []
    for layer_class in own.classes:
        found = []
        for graph in module_graphs(layer_class, 1):
            result = solve(lower(graph, problem.library, design).problem, "critical-path", stop=Stop())
            assert result.solution is not None
            found.append(result.solution)
        schedules.append(ModuleSchedule(layer_class.name, 1, *found))
    size = -(-own.layers // stages)
    cut = [tuple(range(i * size, min(own.layers, (i + 1) * size))) for i in range(stages)]
    plans = tuple(StagePlan(layers, own.shard.tensor, own.recompute) for layers in cut)
    placement = Placement(plans, data, problem.orders[0], problem.pipelinings[0], problem.zero[0])
    return Solution(design, variant, placement, tuple(schedules))
