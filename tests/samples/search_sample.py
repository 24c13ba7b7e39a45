"""Tiny studies, templates and graphs for the tests of the search core: everything runs in milliseconds.

A study here is a real one, read from YAML with models, a baseline and templates written to a folder of its own; only
its numbers are small.
"""

from __future__ import annotations

import atexit
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import strategies as st

from accmine.cost import CostLibrary
from accmine.files import load_yaml, validate
from accmine.hardware import Design, DesignSpace, Template, TensorCore, VectorCore
from accmine.hardware.technology import Technology, area_mm2, load_technology, tdp_w
from accmine.plan import Plan, plan_of
from accmine.ports import Stop
from accmine.problems import design_search
from accmine.problems.design_search import Evaluation, Solution, by_value
from accmine.record import Record
from accmine.registry import make_solver
from accmine.result import Result, StopReason
from accmine.search import NOTHING, RUN, Budget, GroupCandidates, Session, schedule_task, search_problem
from accmine.solving import solve
from accmine.study import Study
from accmine.workload import OperatorGraph, PhaseRun, Task, Vector
from accmine.workload.graph import GraphBuilder

MODELS: dict[str, str] = {
    "mlp": """
family: convnet
image: 4
layers:
  - linear: {out: 48}
  - relu
  - linear: {out: 32}
  - relu
  - linear: {out: 10}
""",
    "gpt": """
family: gpt2
layers: 1
width: 32
heads: 2
vocabulary: 48
positions: 16
sequence: 8
""",
}

BASE = """
name: base
tensor_cores: 2
tensor_rows: 8
tensor_cols: 8
tensor_sram: 64 KiB
vector_cores: 1
vector_lanes: 8
vector_ops_per_lane: 2
vector_sram: 32 KiB
hbm: 16 GiB
hbm_bandwidth: 70 GB/s
frequency: 700 MHz
"""
"""The baseline; it is one of the designs of ``SPACE``."""

SPACE: dict[str, Any] = {
    "tensor_cores": [1, 2, 3, 4],
    "tensor_dim": [4, 8],
    "vector_cores": [1, 2],
    "vector_lanes": [4, 8],
}
"""Tunables that a tiny study opens beside ``BASE``: 64 designs."""


@lru_cache(maxsize=1)
def folder() -> Path:
    """A folder with the models and the baseline, removed when Python ends."""
    made = TemporaryDirectory(prefix="accmine-search-sample-")
    atexit.register(made.cleanup)
    path = Path(made.name)
    for name, text in MODELS.items():
        (path / f"{name}.yaml").write_text(f"name: {name}\n{text}")
    (path / "base.yaml").write_text(BASE)
    return path


def study_text(*, models: Sequence[str] = ("mlp",), space: dict[str, Any] | None = None, **more: Any) -> str:
    """A tiny study as JSON, which is YAML; ``more`` are further keys, ``workload`` further keys of each workload."""
    extra = {"batch": 8, "microbatch": 4} | more.pop("workload", {})
    base = str(folder() / "base.yaml")
    table = {
        "name": "tiny",
        "workloads": [{"use": str(folder() / f"{model}.yaml"), **extra} for model in models],
        "accelerator": {"use": base, **(SPACE if space is None else space)},
        "baseline": base,
        "baselines": [base],
        **more,
    }
    return json.dumps(table)


def study(**keys: Any) -> Study:
    """A tiny study; keys as ``study_text``."""
    return validate(load_yaml(text=study_text(**keys), name="tiny.yaml"), Study)


def pipeline(depth: int = 2, **more: Any) -> dict[str, Any]:
    """``system`` and ``parallel`` of a study with a pipeline."""
    return {"system": {"cluster": "point-to-point"}, "parallel": {"pipeline": depth, **more}}


def reference(plan: Plan, library: CostLibrary) -> Plan:
    """The plan with the step times of the baseline, from list schedules."""
    rows = [[schedule_task(t, library, plan.baseline, "list", Stop(), 0) for t in p.tasks] for p in plan.pipelines]
    return replace(
        plan,
        reference_s=tuple(
            float(p.step_s([s.phase_s for s in own])) for p, own in zip(plan.pipelines, rows, strict=True)
        ),
        reference_busy_s=tuple(tuple(s.busy_s for s in own) for own in rows),
    )


@lru_cache(maxsize=64)
def _planned(text: str) -> tuple[Plan, CostLibrary]:
    plan = plan_of(validate(load_yaml(text=text, name="tiny.yaml"), Study))
    library = plan.library()
    return reference(plan, library), library


def planned(**keys: Any) -> tuple[Plan, CostLibrary]:
    """A tiny study's plan with references, and the costs of its operators; keys as ``study_text``."""
    return _planned(study_text(**keys))


def session(plan: Plan, library: CostLibrary, stop: Stop | None = None, **more: Any) -> Session:
    """A session with no limit but ``stop``."""
    return Session(plan, library, Budget(RUN, stop or Stop()), **more)


def designs(template: Template) -> list[Design]:
    """Every design of a template."""
    return list(DesignSpace(template))


def fits(problem: design_search.Problem, design: Design) -> bool:
    """Whether a design meets the limits and holds the tasks."""
    return (
        area_mm2(design, problem.technology) <= problem.area_mm2
        and tdp_w(design, problem.technology) <= problem.tdp_w
        and design.hbm_bytes >= problem.memory_bytes
    )


_EVALUATORS: dict[int, tuple[Any, Any]] = {}


def listed(problem: design_search.Problem, design: Design) -> Evaluation:
    """A design with list schedules of its tasks: an upper bound of what it can do."""
    from accmine.solvers.design_search.evaluator import Evaluator

    if id(problem) not in _EVALUATORS:
        if len(_EVALUATORS) > 200:
            _EVALUATORS.clear()
        _EVALUATORS[id(problem)] = (problem, Evaluator(Record[Solution](problem)))
    found: Evaluation = _EVALUATORS[id(problem)][1](design)
    return found


def everything(problem: design_search.Problem) -> list[Evaluation]:
    """Every feasible design with list schedules."""
    return [listed(problem, design) for design in designs(problem.template) if fits(problem, design)]


def brute_groups(plan: Plan, library: CostLibrary, mode: str, *, count: int | None = None) -> list[GroupCandidates]:
    """Every feasible design, or about ``count`` of them spread over all, as a candidate of every group."""
    found = []
    groups = plan.groups(mode)
    for group in groups:
        problem = search_problem(plan, group, len(groups), library)
        feasible = [d for d in designs(problem.template) if fits(problem, d)]
        step = 1 if count is None else max(1, len(feasible) // count)
        pool = tuple(listed(problem, d) for d in feasible[::step])
        found.append(GroupCandidates(group, problem, replace(NOTHING, stop=StopReason.FINISHED, pool=pool), pool))
    return found


def technology() -> Technology:
    """The shipped technology with area and power."""
    return load_technology("tpu-16nm")


def template(**values: Any) -> Template:
    """A template of one design but for ``values`` (field names of ``Template``)."""
    table: dict[str, Any] = {
        "tensor_cores": (1, 2, 4),
        "tensor_rows": (8,),
        "tensor_cols": (8,),
        "dataflow": ("ws",),
        "tensor_sram_bytes": (1 << 16,),
        "vector_cores": (1, 2),
        "vector_lanes": (8,),
        "vector_ops_per_lane": (2,),
        "vector_sram_bytes": (1 << 15,),
        "shared_sram_bytes": (0,),
        "hbm_bytes": (16 << 30,),
        "hbm_bytes_per_s": (70_000_000_000,),
        "frequency_hz": (700_000_000,),
    }
    return Template(**(table | values))


def design(
    tensor_cores: int = 2, vector_cores: int = 1, *, dim: int = 8, lanes: int = 8, gbps: int = 70, hbm: int = 16 << 30
) -> Design:
    """A small design; ``gbps`` in 10^9 bytes/s."""
    return Design(
        tensor_cores,
        TensorCore(dim, dim, 1 << 16),
        vector_cores,
        VectorCore(lanes, 2, 1 << 15),
        hbm,
        gbps * 10**9,
        700_000_000,
    )


Shape = tuple[str, int, tuple[int, ...]]
"""Kind of an operator (gemm, vector, fused, move), a size, and the operators before it."""


def graph_of(shapes: Sequence[Shape], names: Sequence[str] | None = None) -> OperatorGraph:
    """A graph of operators that each write one tensor and read those of the operators before them."""
    b = GraphBuilder("sample")
    b.layer("only")
    outside = b.tensor("x", (4,), role="input")
    written: list[int] = []
    for i, (kind, size, before) in enumerate(shapes):
        name = names[i] if names else f"op{i}"
        inputs = [written[p] for p in before] or [outside]
        out = b.tensor(name, (size,))
        gemm = (size, 24, 16, 1) if kind in ("gemm", "fused") else None
        vector = [Vector("relu", 16 * size)] if kind in ("vector", "fused") else []
        b.operator(
            name,
            {"gemm": "linear", "fused": "linear", "vector": "relu", "move": "concat"}[kind],
            inputs,
            [out],
            gemm=gemm,
            vector=vector,
            bytes_in=64 * size,
            bytes_out=32 * size,
        )
        written.append(out)
    return b.build()


def paired(graph: OperatorGraph) -> OperatorGraph:
    """The graph with WHAM's rule for fused operators: as many vector cores as tensor cores."""
    operators = (replace(o, work=replace(o.work, paired=True)) for o in graph.operators)
    return replace(graph, operators=tuple(operators))


@st.composite
def shapes(draw: st.DrawFn, most: int = 8) -> list[Shape]:
    """Operators of a random graph, in a topological order."""
    found: list[Shape] = []
    for i in range(draw(st.integers(1, most))):
        before = draw(st.lists(st.integers(0, i - 1), max_size=3, unique=True)) if i else []
        kind = draw(st.sampled_from(("gemm", "vector", "fused")))
        found.append((kind, draw(st.sampled_from((1, 5, 16, 64, 300))), tuple(sorted(before))))
    return found


def task_of(*graphs: OperatorGraph, repeats: Sequence[int] = (), memory_bytes: int = 1 << 20, name: str = "t") -> Task:
    """A task that runs each graph ``repeats`` times."""
    times = [*repeats, *[1] * len(graphs)][: len(graphs)]
    runs = tuple(PhaseRun(f"phase{i}", g, r) for i, (g, r) in enumerate(zip(graphs, times, strict=True)))
    return Task(name, name, runs, max(times), memory_bytes)


def search(
    tasks: Sequence[Task], space: Template | None = None, *, split: str = "even", **more: Any
) -> design_search.Problem:
    """A design search with unit references."""
    space = space or template()
    counts = (*space.tensor_cores, *space.vector_cores)
    library = design_search.cost_library(tasks, counts, split, "tpu-like", technology())
    return design_search.Problem(
        **{
            "tasks": tuple(tasks),
            "reference_s": tuple(1e-5 for _ in tasks),
            "weights": tuple(1.0 for _ in tasks),
            "template": space,
            "technology": technology(),
            "library": library,
            **more,
        }
    )


def mined(problem: design_search.Problem, stop: Stop | None = None, **options: Any) -> Result[Solution]:
    """What the miner finds; the best of its pool first."""
    result = solve(problem, make_solver("design-search", "wham-like", **options), stop=stop or Stop())
    return replace(result, pool=tuple(by_value(result.pool)))
