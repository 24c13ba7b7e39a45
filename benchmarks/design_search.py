"""D1: certified gap of the design search over the whole space, for every study of a suite.

For each row: the best verified design of ``best-first`` and the bound over every feasible design; beside it what four
rules reach, as distance of their value from the same bound:

- area: the feasible design of largest area;
- tpu: the core types nearest to the baseline's, in its ratio of counts, as many as fit;
- random: the best of 1,000 feasible designs drawn uniformly. Each has a bound; they are scheduled in the order of it
  until the next bound is no better than the best value, so the others need no schedule;
- wham: the first answer of ``wham-like`` with its default options.

All are scheduled with the same effort (list schedules, spine schedules, local search: level 2 of the search), so the
differences are the designs'. Pipelined rows search one design for all stages, valued by the slowest stage relative to
the baseline's slowest.

    python benchmarks/design_search.py [--seconds 40] [--split none] [--models bert-base,vgg-16] [--repeats 1]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from math import inf

import numpy as np

from accmine.hardware import Design
from accmine.plan import Plan, plan_of
from accmine.ports import Stop
from accmine.problems.design_search import Evaluation, Problem, best, by_value, evaluate, fits
from accmine.problems.design_search.space_bound import Block, block_of, blocks, phase_bounds, relative_value
from accmine.result import gap
from accmine.search import by_stage, schedule_task, search_problem
from accmine.solvers.design_search.design_job import work_on
from accmine.solvers.design_search.design_table import DesignTable
from accmine.solving import solve
from accmine.study import Study, load_suite
from accmine.study.suite import Entry

RANDOM = 1000
SEED = 0


def search(study: Study) -> tuple[Plan, Problem]:
    """The single design search of a study, with the list-scheduled baseline as the reference."""
    plan = plan_of(study)
    library = plan.library()
    rows = [schedule_task(task, library, plan.baseline, "list", Stop(), SEED).phase_s for task in plan.tasks]
    plan = plan.referred_to(by_stage(plan, rows))
    (group,) = plan.groups("common")
    return plan, search_problem(plan, group, 1, library)


def scheduled(problem: Problem, design: Design, seconds: float) -> Evaluation:
    """A design with the schedules of level 2."""
    targets = [[inf] * len(task.phases) for task in problem.tasks]
    outcome = None
    for level in (1, 2):
        outcome = work_on(problem, design, level, outcome, targets, seconds, SEED)
    assert outcome is not None
    return evaluate(problem, design, [[p.cycles or 0 for p in row] for row in outcome.parts])


def largest(found: Sequence[Block]) -> Design:
    """The feasible design of largest area."""
    block = max(found, key=lambda b: float(b.area_mm2[b.fits].max()))
    return block.design(int(np.where(block.fits, block.area_mm2, -inf).argmax()))


def tpu_shaped(problem: Problem, baseline: Design) -> Design | None:
    """The baseline's core types, or the nearest in the template, and as many cores in its ratio as fit."""
    space = problem.template

    def near(values: Sequence[int], wanted: int) -> int:
        return min(values, key=lambda v: (abs(np.log(v / wanted)), v))

    tensor, vector = baseline.tensor, baseline.vector
    types = replace(
        baseline,
        tensor=replace(
            tensor,
            rows=near(space.tensor_rows, tensor.rows),
            cols=near(space.tensor_cols, tensor.cols),
            sram_bytes=near(space.tensor_sram_bytes, tensor.sram_bytes),
            dataflow=tensor.dataflow if tensor.dataflow in space.dataflow else space.dataflow[0],
        ),
        vector=replace(
            vector,
            lanes=near(space.vector_lanes, vector.lanes),
            ops_per_lane=near(space.vector_ops_per_lane, vector.ops_per_lane),
            sram_bytes=near(space.vector_sram_bytes, vector.sram_bytes),
        ),
        hbm_bytes=min((v for v in space.hbm_bytes if v >= problem.memory_bytes), default=space.hbm_bytes[-1]),
        hbm_bytes_per_s=near(space.hbm_bytes_per_s, baseline.hbm_bytes_per_s),
        frequency_hz=near(space.frequency_hz, baseline.frequency_hz),
        shared_sram_bytes=space.shared_sram_bytes[0],
        port_bytes_per_s=space.port_bytes_per_s[0],
        calibration=space.calibration,
    )
    ratio = baseline.vector_cores / baseline.tensor_cores
    fitting = [
        d
        for n in space.tensor_cores
        if fits(problem, d := replace(types, tensor_cores=n, vector_cores=near(space.vector_cores, max(1, n * ratio))))
    ]
    return fitting[-1] if fitting else None


def random_designs(found: Sequence[Block]) -> list[Design]:
    """``RANDOM`` feasible designs, each as likely as any other."""
    sizes = np.cumsum([int(block.fits.sum()) for block in found])
    numbers = np.random.default_rng(SEED).choice(int(sizes[-1]), size=min(RANDOM, int(sizes[-1])), replace=False)
    rows = []
    for number in numbers.tolist():
        i = int(np.searchsorted(sizes, number, side="right"))
        offset = number - (int(sizes[i - 1]) if i else 0)
        rows.append(found[i].design(int(np.flatnonzero(found[i].fits)[offset])))
    return rows


def bound_of(problem: Problem, design: Design) -> float:
    """The bound of the value of one design, with longest paths."""
    block = block_of(problem, design)
    value = relative_value(problem)(phase_bounds(problem, block, paths=True), block)
    at = (
        block.tensor_counts.tolist().index(design.tensor_cores),
        block.vector_counts.tolist().index(design.vector_cores),
    )
    return float(value[at])


def best_random(problem: Problem, found: Sequence[Block], seconds: float) -> float:
    """The value of the best of the random designs; in the time given, else that of the best scheduled."""
    began = time.monotonic()
    ordered = sorted((bound_of(problem, design), n, design) for n, design in enumerate(random_designs(found)))
    least = inf
    for bound, _, design in ordered:
        if bound >= least or (least < inf and time.monotonic() - began > seconds):
            break
        least = min(least, scheduled(problem, design, 10.0).value)
    return least


def row(entry: Entry, seconds: float, workers: int, rules: bool) -> dict[str, object]:
    """One row of the table."""
    plan, problem = search(entry.study)
    problem = replace(problem, first=(plan.baseline,))
    result = solve(problem, "best-first", stop=Stop(seconds=seconds, workers=workers), seed=SEED)
    if result.bound is None:
        raise SystemExit(f"{entry.model}: {result.status.value}")
    found = list(blocks(problem))
    values: dict[str, float] = {}
    if rules:
        tpu = tpu_shaped(problem, plan.baseline)
        values["area"] = scheduled(problem, largest(found), 10.0).value
        # Below the floor of throughput a value is infinite and has no gap: "none" in the table.
        values["tpu"] = inf if tpu is None else scheduled(problem, tpu, 10.0).value
        values["random"] = best_random(problem, found, seconds)
        wham = solve(problem, "wham-like", stop=Stop(seconds=seconds))
        values["wham own schedule"] = inf if wham.objective is None else float(wham.objective)
        if (proposed := best(wham.pool)) is not None:
            values["wham"] = scheduled(problem, proposed.design, 10.0).value
    table = DesignTable(problem)
    return {
        "model": entry.model,
        "metric": entry.metric,
        "feasible": table.feasible,
        "non-dominated": len(table),
        "objective": result.objective,
        "bound": result.bound,
        "gap": result.gap,
        "seconds": round(result.seconds, 1),
        "looked at": len(result.pool),
        "design": by_value(result.pool)[0].design.name if result.pool else "",
        **{name: gap(value, result.bound) for name, value in values.items()},
    }


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--suite", default="wham")
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--split", choices=("none", "even"), default="none")
    parser.add_argument("--models", default="")
    parser.add_argument("--metrics", default="")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--no-rules", action="store_true")
    parser.add_argument("--json", default="")
    options = parser.parse_args()
    entries = [
        entry
        for entry in load_suite(options.suite, {"operator_split": options.split})
        if (not options.models or entry.model in options.models.split(","))
        and (not options.metrics or entry.metric in options.metrics.split(","))
    ]
    rows = []
    print("| model | metric | feasible | non-dominated | gap % | s | area % | tpu % | random % | wham % | wham own % |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for entry in entries:
        if entry.needs:
            print(f"| {entry.model} | {entry.metric} | needs {entry.needs} ||||||||||")
            continue
        several = [row(entry, options.seconds, options.workers, not options.no_rules) for _ in range(options.repeats)]
        middle = sorted(several, key=lambda r: float(str(r["gap"] or 1.0)))[len(several) // 2]
        rows.append(middle)
        shown = [middle.get(k) for k in ("area", "tpu", "random", "wham", "wham own schedule")]
        cells = ["none" if g is None else f"{100 * float(str(g)):.2f}" for g in (middle["gap"], *shown)]
        print(
            f"| {entry.model} | {entry.metric} | {middle['feasible']:,} | {middle['non-dominated']:,} | {cells[0]} "
            f"| {middle['seconds']} | {' | '.join(cells[1:])} |",
            flush=True,
        )
    gaps = [float(str(r["gap"])) for r in rows if r["gap"] is not None]
    if gaps:
        print(f"\nmedian {100 * statistics.median(gaps):.2f} %, worst {100 * max(gaps):.2f} %")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    sys.exit(main())
