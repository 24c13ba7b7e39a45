"""A run over several devices: where the network is cut, the design of each part, and what stands beside it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from accmine.errors import NothingFoundError
from accmine.files import entry_name
from accmine.problems.sparse_dataflow import problem_to_json, solution_to_json
from accmine.questions.sparse.devices import Site, Spread
from accmine.questions.sparse.study import measure
from accmine.questions.sparse.study.parts import MAIN, Parts
from accmine.questions.sparse.study.several.record import OtherSpread, SpreadOutcome
from accmine.questions.sparse.study.several.refusal import refused
from accmine.questions.sparse.study.several.rows import certificate, link_rows, placed_rows, warnings
from accmine.questions.sparse.study.several.solved import Solved, Task, solved
from accmine.result import Status, StopReason
from accmine.solving import versions
from accmine.sparse.layer import POINT
from accmine.study.sparse import LoadedSparse, SparseInputs

__all__ = ["run_several"]

DENSE, ALONE = "dense", "alone"
_FIRST, _SHARE = 0.6, 0.5
"""Of the seconds that are left: of the answer, and of each way beside it."""


def run_several(loaded: LoadedSparse, inputs: SparseInputs, parts: Parts) -> SpreadOutcome:
    """The answer, and what it is compared with as far as time allows.

    Raises
    ------
    InfeasibleError
        If it is proven that no layout meets the limits.
    NothingFoundError
        If nothing was found in time, and not proven that there is nothing.
    KeyboardInterrupt
        If one came before there was an answer.
    CheckError
        If an answer fails its check.
    """
    study, task = loaded.study, _task(loaded, inputs)
    parts.watch.step("layers of each device")
    parts.watch.unit("images/s", lambda seconds: 1 / seconds if seconds else float("inf"))
    beside = study.compare.dense or study.compare.alone
    result = solved(MAIN, task, parts, _FIRST if beside else 1.0)
    found = result.found
    if not found.placed:
        if found.interrupted:
            raise KeyboardInterrupt
        if found.proven:
            raise refused(loaded, inputs, task, found, parts)
        name = f"{study.name}: no layout over {len(task.sites)} devices"
        raise NothingFoundError(f"{name} was found in {result.seconds:.3g} s, and none was excluded")
    others, stop = list[OtherSpread](), StopReason.TIME
    if found.interrupted:
        stop = StopReason.INTERRUPTED
    elif found.proven:
        stop = StopReason.PROVED
    try:
        if not found.interrupted:
            others.extend(_others(loaded, inputs, task, found, parts))
    except KeyboardInterrupt:
        stop = StopReason.INTERRUPTED
    for i, own in enumerate(found.placed, start=1):
        parts.folder.write_json(f"problem-{i}.json", problem_to_json(own.problem))
        parts.folder.write_json(f"solution-{i}.json", solution_to_json(own.problem, own.solution))
    return _outcome(loaded, inputs, task, result, tuple(others), parts, stop)


def _task(loaded: LoadedSparse, inputs: SparseInputs) -> Task:
    study = loaded.study
    sites = [
        Site(device.name, measure.budget_of(study.shares(own), device), device.frequency_hz)
        for own, device in zip(study.sites, inputs.devices, strict=True)
    ]
    links = [None if rate is None else Fraction(str(rate)) for rate in study.rates]
    return Task(measure.network_problem(study, inputs), tuple(sites), tuple(links))


def _others(
    loaded: LoadedSparse, inputs: SparseInputs, task: Task, found: Spread, parts: Parts
) -> Iterator[OtherSpread]:
    """Other ways, one after the other.

    Raises
    ------
    KeyboardInterrupt
        If one came.
    """
    compare = loaded.study.compare
    if compare.alone:
        alone = tuple(dict.fromkeys(task.sites))  # equal ones once
        names = [site.name for site in alone]
        for i, site in enumerate(alone, start=1):
            which = f"device {1 + task.sites.index(site)}, {site.name}," if names.count(site.name) > 1 else site.name
            what = f"{which} alone"
            parts.watch.step(what)
            yield _alone(f"{ALONE}-{i}", what, site, task, found, parts)
    if compare.dense:
        parts.watch.step("the best dense layout")
        problem = measure.dense_problem(task.problem, inputs)
        own = solved(DENSE, replace(task, problem=problem), parts, _SHARE)
        if own.found.interrupted:
            raise KeyboardInterrupt
        yield _dense(own, found)


def _alone(key: str, what: str, site: Site, task: Task, found: Spread, parts: Parts) -> OtherSpread:
    """The whole network on one of the devices."""
    budget = replace(site.budget, loss=task.problem.budget.loss)
    problem = replace(task.problem, budget=budget, name=f"{task.problem.name}, {site.name}")
    result, took = parts.solve(key, problem, share=_SHARE)
    if result.stop is StopReason.INTERRUPTED:
        raise KeyboardInterrupt
    own = measure.other_of(what, problem, result, site.frequency_hz, 1, took)
    bound = None if not own.bound_cycles else site.frequency_hz / own.bound_cycles
    rate = own.images_per_s
    ratio = None if rate is None else 1 / found.seconds / rate
    return OtherSpread(what, own.status, rate, bound, own.loss, ratio, took, own.note)


def _dense(own: Solved, found: Spread) -> OtherSpread:
    """The best layout of dense engines."""
    other, what = own.found, f"{measure.DENSE_ONLY}, on all devices"
    bound = 1 / other.bound_s if other.bound_s and other.exact_bound_s is not None else None
    if not other.placed:
        note = "no design exists" if other.proven else "nothing was found in time"
        status = Status.INFEASIBLE if other.proven else Status.UNKNOWN
        return OtherSpread(what, status.value, None, bound, None, None, own.seconds, note)
    status = Status.OPTIMAL if other.proven else Status.FEASIBLE
    rate = 1 / other.seconds
    return OtherSpread(what, status.value, rate, bound, 0.0, other.seconds / found.seconds, own.seconds)


def _outcome(
    loaded: LoadedSparse,
    inputs: SparseInputs,
    task: Task,
    result: Solved,
    others: tuple[OtherSpread, ...],
    parts: Parts,
    stop: StopReason,
) -> SpreadOutcome:
    study, found, problem = loaded.study, result.found, task.problem
    assert study.network is not None
    sources, rows = measure.level_sources(problem), placed_rows(study, inputs, task, found)
    return SpreadOutcome(
        study=study.name,
        status=(Status.OPTIMAL if found.proven else Status.FEASIBLE).value,
        stop=stop.value,
        value=found.seconds,
        images_per_s=1 / found.seconds,
        network=entry_name(study.network.use),
        macs=sum(layer.macs for layer in problem.layers),
        parameters=sum(layer.parameters for layer in problem.layers),
        devices=rows,
        links=link_rows(task, found),
        engine_source=inputs.model.source,
        loss=sum(own.loss for own in found.placed) / POINT,
        loss_limit=study.loss,
        loss_is=measure.loss_is(sources),
        sources=sources,
        beside=others,
        certificate=certificate(task, result),
        warnings=warnings(sources, rows),
        trace=result.trace,
        seconds=parts.seconds | {"all else": time.monotonic() - parts.began - sum(parts.seconds.values())},
        versions=dict(versions()),
    )
