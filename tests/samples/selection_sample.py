"""Small random stage selections for the tests of their solvers."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import replace
from itertools import product

from accmine.problems.stage_selection import (
    AGGREGATES,
    MODES,
    OBJECTIVES,
    Candidate,
    Limits,
    Pipeline,
    Problem,
    Solution,
    Stage,
    check,
    score,
)

COMBINATIONS = [(m, o, a) for m in MODES for o in OBJECTIVES for a in AGGREGATES]


def tiny(seed: int, mode: str, objective: str, aggregate: str, most: int = 5) -> Problem:
    """Up to 3 pipelines of up to 4 stages and ``most`` designs, limits from slack to impossible, both deployments.

    With three designs every choice can be looked at in Python. With fewer than five a stage of a heterogeneous
    selection is without one of them.
    """
    rng = random.Random(f"tiny {seed} {mode} {objective} {aggregate}")
    designs = [
        (f"d{i}", rng.uniform(50, 400), rng.uniform(30, 300), rng.uniform(0.5, 2)) for i in range(rng.randint(2, most))
    ]
    pipelines = []
    for w in range(rng.randint(1, 3 if most > 3 else 2)):
        stages = []
        for s in range(rng.randint(1, 3 if mode == "heterogeneous" else 4)):
            work = rng.uniform(0.005, 0.05)
            rows = []
            for name, area, tdp, quality in designs:
                forward = work * 200 / (area * 0.6 + tdp * 0.4) / quality * rng.uniform(0.8, 1.2)
                times = (forward, forward * rng.uniform(1.5, 2.5), rng.choice([0.0, rng.uniform(0, 0.02)]))
                rows.append(Candidate(name, *times, area, tdp))
            if mode == "heterogeneous" and 2 < len(designs) <= most < 5:
                rows = rng.sample(rows, len(designs) - 1)
            stages.append(Stage(f"s{s}", tuple(rows)))
        pipelines.append(
            Pipeline(
                f"p{w}",
                tuple(stages),
                rng.randint(1, 9),
                rng.choice(["gpipe", "1f1b"]),
                tuple((rng.choice([0.0, 0.001, 0.05]), rng.choice([0.0, 0.002])) for _ in range(len(stages) - 1)),
                weight=rng.choice([1.0, 2.0, 0.3]) if aggregate == "mean" else 1.0,
                reference_s=rng.uniform(0.3, 1.5),
            )
        )
    lengths = [len(p.stages) for p in pipelines]
    shared = mode == "common" or len(pipelines) == 1
    deployment = rng.choice([None, "concurrent", *(["time-shared"] if shared else [])])
    devices = max(lengths) if deployment == "time-shared" or (mode == "common" and not deployment) else sum(lengths)
    limits: list[float | None] = []
    for values in ([d[1] for d in designs], [d[2] for d in designs]):
        limit = devices * (min(values) + (max(values) - min(values)) * rng.uniform(-0.03, 0.6))
        limits.append(rng.choice([None, limit, limit]))
    floor = rng.choice([0.0, 0.3, 1.0]) if objective == "throughput-per-tdp" else None
    return Problem(tuple(pipelines), Limits(*limits), mode, objective, aggregate, deployment, floor)


def line(
    pipelines: int = 1,
    stages: int = 8,
    designs: int = 10,
    objective: str = "throughput",
    aggregate: str = "mean",
    schedule: str = "1f1b",
    tightness: float = 0.1,
    seed: int = 0,
) -> Problem:
    """Pipelines whose stages have designs of their own, under tight limits."""
    rng = random.Random(f"line {pipelines} {stages} {designs} {seed}")
    rows = []
    least, most = [0.0, 0.0], [0.0, 0.0]
    for w in range(pipelines):
        row = []
        for s in range(stages):
            work = rng.uniform(0.5, 1.5)
            chips = []
            for i in range(designs):
                area = rng.uniform(60, 700)
                tdp = area * rng.uniform(0.35, 0.75)
                forward = work / (area**0.5 * tdp**0.35 * rng.uniform(0.8, 1.2))
                backward = forward * rng.uniform(1.8, 2.2)
                chips.append(Candidate(f"d{w}.{s}.{i}", forward, backward, 0.3 * forward, area, tdp))
            row.append(Stage(f"s{s}", tuple(chips)))
            for i, costs in enumerate(([c.area_mm2 for c in chips], [c.tdp_w for c in chips])):
                least[i] += min(costs)
                most[i] += max(costs)
        links = ((2e-4, 1e-4),) * (stages - 1)
        rows.append(Pipeline(f"p{w}", tuple(row), 3 * stages, schedule, links, reference_s=rng.uniform(2, 4)))
    area, tdp = (low + tightness * (high - low) for low, high in zip(least, most, strict=True))
    return Problem(tuple(rows), Limits(area, tdp), objective=objective, aggregate=aggregate)


def shuffled(problem: Problem, seed: int) -> Problem:
    """The same problem with pipelines and candidates in another order and other names of designs."""
    rng = random.Random(seed)
    pipelines = []
    for pipeline in problem.pipelines:
        stages = []
        for stage in pipeline.stages:
            rows = [replace(c, design=f"{c.design}'") for c in stage.candidates]
            rng.shuffle(rows)
            stages.append(replace(stage, candidates=tuple(rows)))
        pipelines.append(replace(pipeline, name=f"{pipeline.name}'", stages=tuple(stages)))
    rng.shuffle(pipelines)
    return replace(problem, pipelines=tuple(pipelines))


def first_choice(problem: Problem) -> Solution:
    """Candidate 0 everywhere."""
    return Solution(tuple((0,) * len(p.stages) for p in problem.pipelines))


def every_choice(problem: Problem) -> list[Solution]:
    """All choices that the mode allows, limits or not; few enough for ``tiny`` with three designs."""
    lengths = [len(p.stages) for p in problem.pipelines]
    stages = [stage for pipeline in problem.pipelines for stage in pipeline.stages]
    if problem.mode == "heterogeneous":
        flat = list(product(*(range(len(stage.candidates)) for stage in stages)))
    else:
        owner = [0 if problem.mode == "common" else w for w, n in enumerate(lengths) for _ in range(n)]
        rows = [{c.design: k for k, c in enumerate(stage.candidates)} for stage in stages]
        shared = [
            sorted(set.intersection(*(set(row) for row, o in zip(rows, owner, strict=True) if o == g)))
            for g in range(max(owner) + 1)
        ]
        flat = [tuple(row[names[o]] for row, o in zip(rows, owner, strict=True)) for names in product(*shared)]
    found = []
    for row in flat:
        left = list(row)
        found.append(Solution(tuple(tuple(left.pop(0) for _ in range(n)) for n in lengths)))
    return found


def best_score(problem: Problem) -> int | None:
    """Least score of all choices that pass the problem's check; ``None``: there is none."""
    return min((score(problem, s) for s in every_choice(problem) if not check(problem, s)), default=None)


def limited_to(problem: Problem, names: Collection[str]) -> Problem:
    """The problem with the limits of these names (``limits.area_mm2``, ``limits.tdp_w``, ``floor``) and no other."""
    area, tdp = (getattr(problem.limits, n) if f"limits.{n}" in names else None for n in ("area_mm2", "tdp_w"))
    floor = problem.least_throughput if "floor" in names else 0.0
    return replace(
        problem, limits=Limits(area, tdp), floor=floor if problem.objective == "throughput-per-tdp" else None
    )
