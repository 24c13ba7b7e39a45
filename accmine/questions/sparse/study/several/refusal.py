"""Why nothing fits over several devices, in the words of the study."""

from __future__ import annotations

from dataclasses import replace
from decimal import ROUND_CEILING, Context, Decimal
from typing import Any

from accmine.errors import InfeasibleError
from accmine.ports import Stop
from accmine.problems.conflict import ConflictingLimit, infeasible, located, minimal_conflict
from accmine.problems.sparse_dataflow import use_of
from accmine.questions.sparse.devices import Placed, Site, Spread, spread
from accmine.questions.sparse.study.parts import Parts
from accmine.questions.sparse.study.several.solved import Task
from accmine.sparse.device import Device
from accmine.sparse.layer import POINT
from accmine.sparse.resources import RESOURCES
from accmine.study.sparse import LoadedSparse, Shares, SparseInputs

__all__ = ["refused"]

_BUDGET = {"bandwidth": "bits_per_cycle"}
"""Limit of a study -> budget of the problem, where it is called otherwise."""

_LOSS = "loss"
_ASK_S, _ASKS = 10.0, 12
"""Seconds of a question at most, and into how many what is left is divided."""


def refused(loaded: LoadedSparse, inputs: SparseInputs, task: Task, found: Spread, parts: Parts) -> InfeasibleError:
    """The error that says which limits conflict, where they stand, and what is known to help.

    What a question leaves open counts as no conflict: then more limits are named than needed.

    Parameters
    ----------
    found
        That there is no answer, which is proven.
    """
    parts.watch.step("which limits conflict")
    names = " and ".join(dict.fromkeys(device.name for device in inputs.devices))
    title = f"{loaded.study.name}: no layout over {len(task.sites)} devices, {names}, meets the limits"
    least = sum(min(level.loss for level in layer.levels) for layer in task.problem.layers)
    most = task.problem.budget.loss
    if most is not None and least > most:
        limit = ConflictingLimit(_LOSS, f"{loaded.study.loss:g} points", f"at least {least / POINT:.15g}", (_LOSS,))
        return located(infeasible(title, [limit]), loaded.document)
    keys = [*Shares.model_fields, _LOSS]
    asked = _Asked(task, parts, {frozenset(keys): found})
    members = minimal_conflict(keys, lambda kept: not _excluded(asked(kept)))
    limits = [_limit(loaded, inputs, task, key, asked(frozenset(keys) - {key})) for key in members]
    return located(infeasible(title, limits), loaded.document)


class _Asked:
    """Whether there is an answer while some limits hold alone; each question is asked once."""

    def __init__(self, task: Task, parts: Parts, known: dict[frozenset[str], Spread]) -> None:
        left = parts.left()
        seconds = _ASK_S if left is None else min(_ASK_S, max(1.0, left / _ASKS))
        self.task, self.stop, self.seed = task, Stop(seconds, gap=1.0, workers=parts.budget.workers), parts.budget.seed
        self.known = known

    def __call__(self, kept: frozenset[str]) -> Spread:
        """What is found in a few seconds; any answer is good enough."""
        if kept not in self.known:
            free: dict[str, Any] = {_BUDGET.get(key, key): None for key in Shares.model_fields if key not in kept}
            sites = [replace(site, budget=replace(site.budget, **free)) for site in self.task.sites]
            problem = self.task.problem
            if _LOSS not in kept:
                problem = replace(problem, budget=replace(problem.budget, loss=None))
            found = spread(problem, sites, self.task.links, stop=self.stop, seed=self.seed)
            if found.interrupted:
                raise KeyboardInterrupt
            self.known[kept] = found
        return self.known[kept]


def _excluded(found: Spread) -> bool:
    return found.proven and not found.placed


def _limit(loaded: LoadedSparse, inputs: SparseInputs, task: Task, key: str, without: Spread) -> ConflictingLimit:
    """A limit that conflicts, and what is known of the task without it alone."""
    study, used = loaded.study, _used(key, without)
    if _excluded(without):
        remedy = "no change of it alone is enough"
    elif not without.placed:
        remedy = "more of it may be enough: that was not decided in time"
    else:
        remedy = f"enough, with all else as it is: {used}"
    if key == _LOSS:
        return ConflictingLimit(_LOSS, f"{study.loss:g} points", remedy, (_LOSS,))
    given = zip((study.shares(own) for own in study.sites), inputs.devices, task.sites, strict=True)
    value = ", ".join(_allowed(key, *own) for own in given)
    own = [("devices", i, "limits", key) for i, site in enumerate(study.sites) if getattr(site.limits, key) is not None]
    place: tuple[str | int, ...] = own[0] if own else ("limits", key)
    return ConflictingLimit(".".join(map(str, place)), value, remedy, place)


def _allowed(key: str, shares: Shares, device: Device, site: Site) -> str:
    """What a design may take of a device."""
    if key == "bandwidth":
        return f"{100 * shares.bandwidth:g} % of {device.bandwidth_bits_per_s / 1e9:g} Gbit/s on {device.name}"
    return f"{getattr(site.budget, key)} of {device.blocks()[key]} on {device.name}"


def _used(key: str, found: Spread) -> str:
    """What the devices of an answer take of what a limit is of."""
    if key == _LOSS:
        return f"{sum(own.loss for own in found.placed) / POINT:.15g} points"
    return ", ".join(f"{_amount(key, own)} on {own.name}" for own in found.placed)


def _amount(key: str, own: Placed) -> str:
    used = dict(zip(RESOURCES, use_of(own.problem, own.solution), strict=True))
    if key != "bandwidth":
        return f"{used[key]}"
    return f"{Context(6, ROUND_CEILING).divide(Decimal(used['bits']), Decimal(own.interval)):f} bits per cycle"
