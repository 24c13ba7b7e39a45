"""Gap: how far a heuristic, or a researcher's own designs, are from the best, with proof.

``cases`` makes studies × seeds × time limits × options of the heuristic, ``sweep`` measures them one after the other.
Designs of one's own are rated by ``design``, solutions of problem files by ``solution``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import isfinite
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from accmine.errors import Complaint, InfeasibleError, InputError, NothingFoundError
from accmine.files import complaints_of, did_you_mean, parse_value
from accmine.hardware.technology import tdp_w
from accmine.problems.design_search import KIND
from accmine.questions.gap.measure import First, Ground, Measured
from accmine.questions.gap.record import GapRow
from accmine.questions.gap.stages import PROOF, stage_own_bound
from accmine.questions.run.folder import open_run, task_key
from accmine.registry import solvers_of
from accmine.report import from_json
from accmine.search import Answer, Member, excess, objective_of, stage_value
from accmine.search import metric as metric_of
from accmine.study import HEURISTIC_OPTIONS, Search, Study, load_suite, overridden
from accmine.study.study import Budget

__all__ = ["INFEASIBLE", "Case", "cases", "options_of", "rows_of", "suite_cases", "sweep"]

INFEASIBLE = "infeasible"
"""Begins the note of a row whose study is proven to have no solution."""


@dataclass(frozen=True)
class Case:
    """A study with its seed and budget, and what varies in the heuristic.

    Attributes
    ----------
    name
        Of the study in the rows.
    study
        ``None`` for a case that cannot be run; ``note`` says why.
    searches
        One row, or one set of rows by stage, for each.
    metric, note
        Of a case that cannot be run.
    """

    name: str
    study: Study | None
    searches: tuple[Search, ...] = ()
    metric: str = ""
    note: str = ""


def options_of(texts: Sequence[str]) -> dict[str, list[Any]]:
    """The values of each option from ``name=value,value`` texts, checked.

    Raises
    ------
    InputError
        For an unknown option or a value that is not allowed; names what is.
    """
    found: dict[str, list[Any]] = {}
    wrong: list[Complaint] = []
    for text in texts:
        name, equals, values = text.partition("=")
        name = name.strip()
        where = f"--option {text}"
        if name not in HEURISTIC_OPTIONS:
            near = did_you_mean(name, HEURISTIC_OPTIONS)
            wrong.append(Complaint(where, name, f"unknown option; {near}allowed: {', '.join(HEURISTIC_OPTIONS)}"))
            continue
        if name in found:
            wrong.append(Complaint(where, name, "given twice; give all values at once, separated by commas"))
            continue
        if not equals or not all(part.strip() for part in values.split(",")):
            wrong.append(Complaint(where, name, "needs values, for example hysteresis=0,2,4"))
            continue
        try:
            parsed = [parse_value(part, where) for part in values.split(",")]
        except InputError as error:
            wrong += [Complaint(where, name, complaint.message) for complaint in error.complaints]
            continue
        unfit = [complaint for value in parsed for complaint in _wrong(name, value, where)]
        found[name] = [] if unfit else list(dict.fromkeys(parsed))
        wrong += unfit
    if wrong:
        raise InputError(wrong)
    return found


def _wrong(name: str, value: Any, where: str) -> list[Complaint]:
    try:
        Search.model_validate({name: value})
    except ValidationError as error:
        return [Complaint(where, name, text) for _, _, text in complaints_of(error, Search, {name: value})]
    return []


def cases(
    studies: Sequence[Study],
    seeds: Sequence[int] = (),
    seconds: Sequence[float] = (),
    options: Mapping[str, Sequence[Any]] | None = None,
) -> list[Case]:
    """Every study with every seed and time limit; where a list is empty, the study's own value.

    Raises
    ------
    InputError
        If time limits are given for a study that goes by ``budget.work`` alone.
    """
    found = []
    table = options or {}
    every_seed: Sequence[int | None] = seeds or [None]
    every_limit: Sequence[float | None] = seconds or [None]
    for study, seed, limit in product(studies, every_seed, every_limit):
        changes: dict[str, Any] = {}
        if seed is not None:
            changes["seed"] = seed
        if limit is not None:
            if study.budget.deterministic:
                raise InputError(f"{study.name}: time limits have no effect with budget.deterministic", field="seconds")
            changes["seconds"] = limit
        budget = Budget.model_validate(study.budget.model_dump() | changes)
        own = study.search.model_dump()
        searches = [
            Search.model_validate(own | dict(zip(table, values, strict=True))) for values in product(*table.values())
        ]
        found.append(Case(study.name, study.model_copy(update={"budget": budget}), tuple(searches)))
    return found


def suite_cases(
    name: str,
    models: Sequence[str] = (),
    metrics: Sequence[str] = (),
    seeds: Sequence[int] = (),
    seconds: Sequence[float] = (),
    options: Mapping[str, Sequence[Any]] | None = None,
    *,
    overrides: Sequence[str] = (),
) -> list[Case]:
    """The cases of a suite; ``models`` and ``metrics`` keep those named, ``overrides`` change keys of every study.

    Raises
    ------
    InputError
        For an unknown suite, model or metric; names what is known.
    """
    entries = list(load_suite(name))
    for what, wanted, known in (
        ("model", models, [entry.model for entry in entries]),
        ("metric", metrics, [entry.metric for entry in entries]),
    ):
        for word in wanted:
            if word not in known:
                listed = ", ".join(dict.fromkeys(known))
                raise InputError(f"unknown {what} {word!r}; {did_you_mean(word, known)}suite {name} has: {listed}")
    found: list[Case] = []
    for entry in entries:
        if (models and entry.model not in models) or (metrics and entry.metric not in metrics):
            continue
        if entry.needs:
            found.append(Case(entry.model, None, metric=entry.metric, note=f"needs {entry.needs}"))
            continue
        study = overridden(entry.study, overrides)
        found += [replace(case, name=entry.model) for case in cases([study], seeds, seconds, options)]
    return found


def sweep(
    cases: Sequence[Case],
    *,
    method: str = "",
    runs: Path | None = None,
    again: bool = False,
    on_case: Callable[[str], None] = lambda _: None,
) -> Iterator[GapRow]:
    """Measure case after case; rows come as soon as they are there.

    Parameters
    ----------
    method
        A registered solver of design searches in the place of the studies' own; it is given no options.
    runs
        Folder of run folders: rows are kept in that of their study, with seed, budget and options, and are read from
        there when study, code and solvers are the same. ``None`` keeps and reads nothing.
    again
        Measure also what is there already.
    on_case
        Called with what is measured next.

    Raises
    ------
    InputError
        If there is no such solver.
    CheckError
        If a bound or a solution contradicts another.
    """
    registered = solvers_of(KIND)
    if method and method not in registered:
        near = did_you_mean(method, registered)
        raise InputError(f"unknown heuristic {method!r}; {near}known: {', '.join(registered)}")
    task = f"gap-{method}" if method else "gap"
    for case in cases:
        if case.study is None:
            yield GapRow(study=case.name, metric=case.metric, note=case.note)
            continue
        known = {search: None if again else _kept(runs, task, case, search) for search in case.searches}
        if all(known.values()):
            yield from (row for rows in known.values() for row in rows or ())
            continue
        on_case(f"{case.name}: bounds")
        try:
            with Ground(case.study) as ground:
                for search in case.searches:
                    rows = known[search]
                    if rows is None:
                        on_case(f"{case.name}: {method or search.method} {_varied(search)}".rstrip())
                        measured = ground.measure(search, method)
                        options = {} if method else search.options()
                        rows = rows_of(case.name, ground, measured, method or search.method, options)
                        _keep(runs, task, case, search, rows)
                    yield from rows
        except (InfeasibleError, NothingFoundError) as error:
            yield _failed(case, error)


def _varied(search: Search) -> str:
    usual = Search().options()
    return " ".join(f"{name}={value}" for name, value in search.options().items() if value != usual[name])


def _failed(case: Case, error: InfeasibleError | NothingFoundError) -> GapRow:
    assert case.study is not None
    why = INFEASIBLE if isinstance(error, InfeasibleError) else "nothing found"
    budget = case.study.budget
    note = f"{why}: {'; '.join(str(error).splitlines())}"
    return GapRow(study=case.name, seed=budget.seed, limit_s=budget.seconds, work=budget.work, note=note)


def _folder(runs: Path, case: Case, search: Search) -> Any:
    assert case.study is not None
    return open_run(runs, case.study.model_copy(update={"search": search}))


def _key(task: str, case: Case) -> str:
    """Of the rows of a budget: unlike a run, a row with more time does not go on with one of less."""
    assert case.study is not None
    return f"{task}-{task_key(**case.study.budget.model_dump())[:12]}"


def _kept(runs: Path | None, task: str, case: Case, search: Search) -> list[GapRow] | None:
    if runs is None:
        return None
    found = _folder(runs, case, search).get(_key(task, case))
    if found is None:
        return None
    return [replace(from_json(GapRow, row, f"{task}.json"), study=case.name, reused=True) for row in found["rows"]]


def _keep(runs: Path | None, task: str, case: Case, search: Search, rows: Sequence[GapRow]) -> None:
    if runs is not None:
        _folder(runs, case, search).put(_key(task, case), {"rows": [row.to_json() for row in rows]})


def rows_of(
    name: str,
    ground: Ground,
    measured: Measured,
    method: str,
    options: Mapping[str, Any],
    wrong: Sequence[str] = (),
) -> list[GapRow]:
    """The rows of a measurement: the whole, then every stage where there are several."""
    plan, budget = ground.plan, ground.study.budget
    metric = metric_of(plan)
    first, refined, best, whole = measured.first, measured.refined, measured.best, measured.whole

    def show(value: float | None) -> float | None:
        found = None if value is None or not isfinite(value) else metric.shown(value)
        return found if found is not None and isfinite(found) else None

    before, after = (None if a is None else a.value for a in (first, refined))
    value = None if best is None else best.value
    row = GapRow(
        study=name,
        metric=metric.name,
        unit=metric.unit,
        sense=metric.sense,
        method=method,
        options=dict(options),
        seed=budget.seed,
        limit_s=None if budget.deterministic else budget.seconds,
        work=budget.work,
        heuristic=show(before),
        refined=show(after),
        best=show(value),
        own_bound=show(measured.own),
        bound=show(whole.value),
        gap_before=None if wrong else excess(before, whole.value),
        gap_refined=None if wrong else excess(after, whole.value),
        gap_after=excess(value, whole.value),
        schedule_part=excess(value, measured.own),
        bound_part=excess(measured.own, whole.value),
        found_by="" if best is None else best.found_by,
        proof=whole.method,
        own_proof="" if best is None else _own_proof(best, None),
        designs=() if best is None else tuple(design.name for design in best.designs()),
        operators=sum(len(phase.graph) for task in plan.tasks for phase in task.phases),
        feasible_designs=whole.feasible,
        finished=measured.finished,
        heuristic_s=measured.first_s,
        seconds=measured.seconds,
        trace=tuple((s, show(objective), show(low)) for s, objective, low in measured.trace),
        violations=tuple(wrong),
        note="" if first is not None else _nothing(method, measured.finished),
    )
    stages = [_stage(row, ground, measured, member) for member in ground.stages]
    return [row, *stages]


def _own_proof(answer: Answer, member: Member | None) -> str:
    """How the bounds of the schedules were proved."""
    own = [schedule for m, schedule in sorted(answer.final.items()) if member in (None, m)]
    methods = dict.fromkeys(phase.result.bound_method for schedule in own for phase in schedule.phases)
    return "; ".join(method for method in methods if method)


def _stage(row: GapRow, ground: Ground, measured: Measured, member: Member) -> GapRow:
    """The row of one stage: its own time in the answers, and what bounds it alone."""
    plan, (w, s) = ground.plan, member
    task, bound = plan.pipelines[w].tasks[s], ground.stages[member]

    def value(answer: First | Answer | None) -> float | None:
        if answer is None:
            return None
        design = answer.designs[member] if isinstance(answer, First) else answer.final[member].design
        return float(stage_value(plan, task, answer.phase_s[w][s], tdp_w(design, plan.technology)))

    best = measured.best
    values = [value(answer) for answer in (measured.first, measured.refined, best)]
    own = None
    if best is not None:
        own = max(bound, stage_own_bound(plan, best, member, tdp_w(best.final[member].design, plan.technology)))
    gaps = [excess(v, bound) for v in values]
    if row.violations:
        gaps[:2] = None, None
    return replace(
        row,
        part=task.name,
        metric=objective_of(plan).stage,
        unit=objective_of(plan).stage_unit,
        sense="minimize",
        heuristic=values[0],
        refined=values[1],
        best=values[2],
        own_bound=own,
        bound=bound,
        gap_before=gaps[0],
        gap_refined=gaps[1],
        gap_after=gaps[2],
        schedule_part=excess(values[2], own),
        bound_part=excess(own, bound),
        proof=PROOF,
        own_proof="" if best is None else _own_proof(best, member),
        designs=() if best is None else (best.final[member].design.name,),
        operators=sum(len(phase.graph) for phase in task.phases),
        feasible_designs=None,
        trace=(),
    )


def _nothing(method: str, finished: bool | None) -> str:
    """Why there is no value of the heuristic."""
    if finished:
        return f"no choice among the candidates of {method} meets the limits"
    return f"{method} proposed nothing that meets the limits in its share of the budget"
