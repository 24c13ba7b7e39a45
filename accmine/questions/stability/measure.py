"""Decision stability: how often the chosen design stays near the best when the constants move in their bands.

Every draw moves all constants of the technology and of the time model at once. Limits that follow the baseline move
with it, limits in numbers stay. Within a draw the designs of a pool are ranked again, scheduled with equal effort; the
answer is stable there if it meets the limits and its value is within a tolerance of the best. This says nothing about
designs outside the pool, and nothing about the certificate, whose gap holds for the constants as they are.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from math import inf
from typing import Any

import numpy as np
import numpy.typing as npt

from accmine.cost import CostLibrary, Stretched
from accmine.errors import Complaint, InputError
from accmine.files import load_yaml
from accmine.hardware import Design, DesignSpace, template_of
from accmine.plan import Plan
from accmine.questions.run.folder import RunFolder
from accmine.questions.run.record import Outcome
from accmine.questions.stability.cases import (
    Case,
    Key,
    World,
    checked,
    first_orders,
    list_makespans,
    more_orders,
    settle,
)
from accmine.questions.stability.counts import summary
from accmine.questions.stability.draws import Constant, constants_of, drawn, swung
from accmine.questions.stability.pool import PROMISING_DRAWS, joined, promising_under, searched
from accmine.questions.stability.record import Nominal, Stability
from accmine.search import search_problem
from accmine.workers import stop_workers, workers

__all__ = ["DRAWS", "TOLERANCE", "require", "stability", "stability_of", "world_of"]

FloatArray = npt.NDArray[np.float64]
Told = Callable[[str], None]

DRAWS = 200
"""Draws by default: a share of one half then has a standard error of 3.5 %."""

TOLERANCE = 0.02
"""Relative distance from the best that counts as near."""

REACH = 0.02
"""Designs whose quick schedules come this near to the best of a case are rivals there."""

RIVALS = 12
"""Rivals that are scheduled with more effort: the answer, and those that are near in the most cases. Divided among the
groups, but at least three of each."""

CHECKED = 8
"""Draws in which the answer fits but is not the best that are decided again with schedules made for the draw."""


def stability(
    plan: Plan,
    outcome: Outcome,
    folder: RunFolder | None = None,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    tolerance: float = TOLERANCE,
    on_step: Told = lambda _: None,
) -> Stability:
    """How stable the answer of a run is.

    Parameters
    ----------
    plan, outcome
        Of the study, and what its run found.
    folder
        Of the run; the table of its search is read from there. Without one the search is made again.
    on_step
        Told what is being done.

    Raises
    ------
    InputError
        If draws, seed or tolerance are out of range, or the technology gives no band.
    KeyboardInterrupt
        If Ctrl-C comes before anything is drawn; later it keeps the draws that are there.
    """
    require(draws, seed, tolerance)
    began = time.monotonic()
    constants = constants_of(plan.technology, plan.template.calibration)
    with workers(_processes(plan), []):  # the pools of both parts work with the same processes
        world = world_of(plan, outcome, folder, constants, draws, seed, on_step)
        found = stability_of(world, tolerance, on_step)
    certificate = outcome.certificate
    nominal = Nominal(
        certificate.metric, certificate.unit, certificate.objective, certificate.bound, certificate.gap, outcome.status
    )
    return replace(found, nominal=nominal, seconds=round(time.monotonic() - began, 1))


def require(draws: int, seed: int, tolerance: float) -> None:
    """Complain about options out of range.

    Raises
    ------
    InputError
        With every complaint at once.
    """
    complaints = []
    if draws < 1:
        complaints.append(Complaint("", "draws", f"must be at least 1, got {draws}; {DRAWS} or more for a report"))
    if seed < 0:
        complaints.append(Complaint("", "seed", f"must be at least 0, got {seed}"))
    if not 0 < tolerance < 1:
        complaints.append(Complaint("", "tolerance", f"must be above 0 and below 1 (0.02 is 2 %), got {tolerance:g}"))
    if complaints:
        raise InputError(complaints)


def world_of(
    plan: Plan,
    outcome: Outcome,
    folder: RunFolder | None,
    constants: Sequence[Constant],
    draws: int,
    seed: int,
    on_step: Told = lambda _: None,
) -> World:
    """The cases of a study: nominal, draws, swings, and the designs that are ranked in them."""
    if plan.source is not None:
        plan = replace(plan, source=Stretched(plan.source))  # a drawn launch may be longer than a measured operator
    library = plan.library()
    plan = _with_references(plan, library, seed)
    rows = np.vstack([[c.nominal for c in constants], drawn(constants, draws, seed), swung(constants)])
    groups = plan.groups(plan.study.mode)
    answers = _answers(plan, outcome)
    on_step("collecting the designs to compare")
    found = searched(plan, library, folder, [plan.baseline, *answers])
    most = max(1, PROMISING_DRAWS // len(groups))
    picks = [(row, group) for row in rows[1 : 1 + min(draws, most)] for group in groups]
    jobs = [(plan, library, constants, row, group) for row, group in picks]
    promising: dict[str, list[Design]] = {group.name: [] for group in groups}
    with workers(_processes(plan), [plan, library, constants]) as executor:
        for (_, group), more in zip(picks, _map(executor, promising_under, jobs), strict=True):
            promising[group.name] += more
    pools = tuple(
        joined(
            plan,
            group,
            [answer],
            [plan.baseline] if plan.template.contains(plan.baseline) else [],
            own,
            promising[group.name],
        )
        for group, answer, own in zip(groups, answers, found, strict=True)
    )
    chosen = tuple(pool.index(answer) for pool, answer in zip(pools, answers, strict=True))
    problems = tuple(search_problem(plan, group, len(groups), library) for group in groups)
    return World(plan, library, tuple(constants), rows, draws, groups, problems, pools, chosen, seed)


def _processes(plan: Plan) -> int:
    return plan.study.budget.workers


def _with_references(plan: Plan, library: CostLibrary, seed: int) -> Plan:
    """The plan with the step times of its baseline, from list schedules."""
    known: dict[object, FloatArray] = {}
    for task in plan.tasks:
        if task.signature not in known:
            known[task.signature] = list_makespans(task, library, plan.baseline, seed)
    frequency = plan.baseline.frequency_hz
    return plan.referred_to([[(known[t.signature] / frequency).tolist() for t in p.tasks] for p in plan.pipelines])


def _answers(plan: Plan, outcome: Outcome) -> list[Design]:
    """The chosen design of each group, with the calibration of the template."""
    by_task: dict[str, Design] = {}
    for chosen in outcome.designs:
        design = next(iter(DesignSpace(template_of(load_yaml(text=chosen.yaml)))))
        by_task |= dict.fromkeys(chosen.devices, replace(design, calibration=plan.template.calibration))
    groups = plan.groups(plan.study.mode)
    first = [plan.pipelines[g.members[0][0]].tasks[g.members[0][1]].name for g in groups]
    return [by_task[name] for name in first]


def _map(executor: Executor | None, function: Callable[..., Any], jobs: Sequence[tuple[Any, ...]]) -> Iterator[Any]:
    """Results in the order of the jobs, from an executor or made here."""
    if executor is None:
        for job in jobs:
            yield function(*job)
        return
    for future in [executor.submit(function, *job) for job in jobs]:
        yield future.result()


def stability_of(world: World, tolerance: float, on_step: Told = lambda _: None) -> Stability:
    """Schedule the designs of ``world``, settle every case and count; without the certificate of the answer.

    Ctrl-C keeps the draws that are settled from equal effort; one before any of them ends it.
    """
    done: dict[int, Case] = {}
    checks: list[tuple[float, float]] = []
    refined = 0
    interrupted = False
    with workers(_processes(world.plan), [world]) as executor:
        tables = _Tables(world, executor)
        keys = world.keys([[*pool, world.plan.baseline] for pool in world.pools])
        on_step(f"scheduling {len(keys)} pairs of task and design")
        tables.add(keys, first_orders)
        try:
            tables.settle_all(done)
            wanted = world.keys(_rivals(world, done))
            on_step(f"scheduling {len(wanted)} of them, which may be the best, under the constants of some draws")
            tables.add(wanted, more_orders)
            again: dict[int, Case] = {}
            tables.settle_all(again)
            done, refined = again, len(wanted)
            sample = _to_check(world, done)
            on_step(f"scheduling {len(sample)} draws again")
            jobs = [(world, i, tables.cycles(i), done[i].winner) for i in sample]
            moved = _map(executor, checked, jobs)
            checks = [(done[i].regret, regret) for i, regret in zip(sample, moved, strict=True)]
        except KeyboardInterrupt:
            interrupted = True
            if executor is not None:
                stop_workers(executor)
            if not any(1 <= case <= world.draws for case in done):
                raise
    return summary(world, done, tolerance, checks, refined, interrupted)


class _Tables:
    """Makespans of tasks on designs under every distinct calibration of the cases."""

    def __init__(self, world: World, executor: Executor | None) -> None:
        self.world = world
        self.executor = executor
        alike = _alike(world)
        self._first = [cases[0] for cases in alike]
        self._column = {case: i for i, cases in enumerate(alike) for case in cases}
        self._cycles: dict[Key, FloatArray] = {}

    def add(self, keys: Sequence[Key], orders: Callable[[World, Key, Sequence[int]], FloatArray]) -> None:
        """Schedule tasks on designs; the shorter of what is there and what is found counts."""
        jobs = [(self.world, key, self._first) for key in keys]
        for key, found in zip(keys, _map(self.executor, orders, jobs), strict=True):
            self._cycles[key] = np.minimum(self._cycles.get(key, inf), found)

    def cycles(self, case: int) -> dict[Key, FloatArray]:
        """Makespans of the phases in a case."""
        return {key: table[:, self._column[case]] for key, table in self._cycles.items()}

    def settle_all(self, done: dict[int, Case]) -> None:
        """Settle every case into ``done``: nominal and swings first, so that an interrupt leaves fewer draws."""
        draws = self.world.draws
        cases = [0, *range(1 + draws, len(self.world.rows)), *range(1, 1 + draws)]
        jobs = [(self.world, case, self.cycles(case)) for case in cases]
        for case, found in zip(cases, _map(self.executor, settle, jobs), strict=True):
            done[case] = found


def _alike(world: World) -> list[list[int]]:
    """Cases of equal constants of the time model."""
    timing = [i for i, c in enumerate(world.constants) if c.is_timing]
    found: dict[tuple[float, ...], list[int]] = {}
    for case in range(len(world.rows)):
        found.setdefault(tuple(world.rows[case, timing].tolist()), []).append(case)
    return list(found.values())


def _rivals(world: World, cases: Mapping[int, Case]) -> list[list[Design]]:
    """The designs of each group that are near the best in the most cases, the answer among them."""
    near: list[Counter[Design]] = [Counter() for _ in world.groups]
    for case in cases.values():
        for count, pool, k in zip(near, world.pools, case.winner, strict=False):
            count[pool[k]] += 1
        if case.values and case.best < inf:
            limit = case.best * (1 + REACH)
            near[0].update(d for d, v in zip(world.pools[0], case.values, strict=True) if v <= limit)
    found = []
    most = max(3, RIVALS // len(world.groups))
    for count, pool, answer in zip(near, world.pools, world.answer(), strict=True):
        count[answer] = len(world.rows) * 3
        often = sorted(count, key=lambda d: (-count[d], pool.index(d)))[:most]
        found.append([*often, *([world.plan.baseline] if world.needs_references else [])])
    return found


def _to_check(world: World, cases: Mapping[int, Case]) -> list[int]:
    """The first draws in which the answer fits and is not the best: as good as any sample of them."""
    draws = [i for i in range(1, 1 + world.draws) if not cases[i].broken and cases[i].winner != world.chosen]
    return draws[:CHECKED]
