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
from dataclasses import replace
from math import inf

from accmine.hardware import Design
from accmine.plan import Plan, plan_of
from accmine.ports import Stop
from accmine.problems.design_search import Evaluation, Problem, best, by_value, evaluate
from accmine.problems.design_search.space_bound import batches, blocks
from accmine.result import gap
from accmine.search import by_stage, schedule_task, search_problem
from accmine.solvers.design_search.design_job import work_on
from accmine.solvers.design_search.design_table import DesignTable
from accmine.solvers.design_search.rules import bounds_of, largest, random_designs, tpu_shaped
from accmine.solvers.design_search.space import Space
from accmine.solving import solve
from accmine.study import Study, load_suite
from accmine.study.suite import Entry

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


def best_random(problem: Problem, seconds: float) -> float:
    """The value of the best of the random designs; in the time given, else that of the best scheduled."""
    began = time.monotonic()
    designs = random_designs(Space(problem), SEED)
    bounds = [bound for part in batches(designs) for bound in bounds_of(problem, part)]
    least = inf
    for bound, number in sorted(zip(bounds, range(len(designs)), strict=True)):
        if bound >= least or (least < inf and time.monotonic() - began > seconds):
            break
        least = min(least, scheduled(problem, designs[number], 10.0).value)
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
        values["random"] = best_random(problem, seconds)
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
