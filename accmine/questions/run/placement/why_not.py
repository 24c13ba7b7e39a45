"""Why no design with a placement meets the limits of a study: memory, area, TDP, and the least change that helps.

A stage at a position of the pipeline takes as many layers as its memory holds, from the front on: so whether some
cut fits is one walk through the stages. Of replicas the most that are allowed need the least memory (fewer
microbatches, smaller shards), of ZeRO stages the highest, so these alone are looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import ceil, inf
from typing import Any

import numpy as np

from accmine.errors import InfeasibleError, InputError
from accmine.files import format_quantity
from accmine.hardware.space import feasible
from accmine.plan import GIB, digits
from accmine.plan.build import baseline_costs
from accmine.plan.limits import Limit, limits_of
from accmine.plan.placement import PlacementPlan, make_placement
from accmine.problems.conflict import ConflictingLimit, infeasible
from accmine.problems.design_placement import Problem, Variant, problem_on
from accmine.problems.design_placement.times import class_at
from accmine.problems.device_placement.memory import held_microbatches, layer_bytes
from accmine.problems.limits import COSTS, widened
from accmine.study import Study
from accmine.study.choices import AUTO, choices

__all__ = ["hopeless", "least_bytes", "why_not"]

STACKS = ("accelerator", "hbm_stacks")
MIB = 1 << 20


def least_bytes(problem: Problem) -> float:
    """HBM of a chip below which no variant, plan and cut fits."""
    best = inf
    for variant in problem.variants:
        rows = _Rows(problem, variant)
        for stages, held in rows.plans():
            if rows.fits(stages, held, best * (1 - 1e-6)):
                low, high = 0.0, min(best, rows.whole(held))
                while high - low > 1e-4 * high:
                    middle = (low + high) / 2
                    low, high = (low, middle) if rows.fits(stages, held, middle) else (middle, high)
                best = high
    return best


def hopeless(problem: Problem) -> bool:
    """Whether no design within the limits of cost holds any placement: known without a search."""
    limits = {"area_mm2": problem.area_mm2, "tdp_w": problem.tdp_w}
    blocks = feasible(problem.template, problem.technology, **{k: v for k, v in limits.items() if v < inf})
    most = max((block.types.hbm_bytes for block in blocks), default=0)
    rows = (_Rows(problem, variant) for variant in problem.variants)
    return not any(own.fits(stages, held, most) for own in rows for stages, held in own.plans())


class _Rows:
    """What each layer of a variant keeps on one device, with the most replicas and the highest ZeRO stage."""

    def __init__(self, problem: Problem, variant: Variant) -> None:
        self.problem, self.variant = problem, variant
        self.placed = problem_on(problem, variant, 1, [(0.0, 0.0, 0.0)] * variant.layers)
        options = [self.placed.layers[c.layers[0]].options[0] for c in variant.classes]
        self.kinds = class_at(variant)
        self.stash = [option.stash_bytes for option in options]
        self.options, self.states, self.working = options, list[int](), list[int]()

    def plans(self) -> Iterator[tuple[int, Sequence[int]]]:
        """Stages, and microbatches in flight on each; interleaved ones keep at least one."""
        problem, zero = self.problem, max(self.problem.zero)
        for stages in problem.pipeline or range(1, self.variant.layers + 1):
            most = min(problem.devices // (stages * self.variant.shard.tensor), self.placed.microbatches)
            allowed = [d for d in problem.data or range(1, most + 1) if d <= most and d % self.placed.expert == 0]
            if not allowed or stages > self.variant.layers:
                continue
            data = max(allowed)
            rows = [layer_bytes(self.placed, option, data, zero) for option in self.options]
            self.states, self.working = [states for states, _ in rows], [working for _, working in rows]
            microbatches = -(-self.placed.microbatches // data)
            for how in problem.pipelinings:
                one = how.chunks > 1
                yield stages, [1 if one else held_microbatches(how, s, stages, microbatches) for s in range(stages)]

    def whole(self, held: Sequence[int]) -> float:
        """All layers on one device."""
        each = [self.states[k] + max(held) * self.stash[k] for k in self.kinds]
        return float(sum(each) + max(self.working))

    def fits(self, stages: int, held: Sequence[int], hbm_bytes: float) -> bool:
        """Whether some cut fits: each stage takes what it can."""
        at, layers = 0, len(self.kinds)
        for stage in range(stages):
            used, working = 0.0, 0
            while at < layers - (stages - 1 - stage):
                kind = self.kinds[at]
                more = used + self.states[kind] + held[stage] * self.stash[kind]
                most = max(working, self.working[kind])
                if more + most > hbm_bytes:
                    break
                used, working, at = more, most, at + 1
            if not working and not used:
                return False
        return at == layers


def why_not(plan: PlacementPlan) -> InfeasibleError:
    """The error that names the limits in conflict, each with the least change that is enough alone."""
    problem, need = plan.problem, least_bytes(plan.problem)
    costs = _costs_of_large_enough(problem, need)
    if not len(costs):
        members = [*_memory(plan, need)]
        return infeasible(
            f"no placement of {plan.workload.name} fits: its fullest device needs {need / GIB:.2f} GiB of HBM, "
            f"the largest allowed has {max(problem.template.hbm_bytes) / GIB:.2f} GiB",
            members,
        )
    return infeasible("no design of the template that holds a placement meets these limits", [*_cost(plan, costs)])


def _costs_of_large_enough(problem: Problem, need: float) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Area and TDP of all designs with so much HBM; shape (designs, 2)."""
    found = []
    for block in feasible(problem.template, problem.technology):
        if block.types.hbm_bytes >= need:
            found.append(np.stack([block.area_mm2.ravel(), block.tdp_w.ravel()], axis=1))
    return np.concatenate(found) if found else np.zeros((0, 2))


def _cost(plan: PlacementPlan, costs: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> Iterator[ConflictingLimit]:
    """Limits of cost that no design meets while all the others hold."""
    devices = plan.problem.devices
    limits = limits_of(plan.study, baseline_costs(plan.inputs.baseline, plan.problem.technology), devices)

    def ok(kept: Sequence[Limit]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        held = np.ones(len(costs), dtype=bool)
        for limit in kept:
            held &= costs[:, limit.cost.index] * (devices if limit.whole else 1) <= widened(limit.value)
        return held

    for limit in limits:
        others = ok([other for other in limits if other is not limit])
        if others.any():
            least = costs[others, COSTS[limit.cost.index].index].min() * (devices if limit.whole else 1)
            yield limit.conflicting(f"at least {digits(ceil(least * 1e4) / 1e4, limit.cost)}")
    if not any(ok([other for other in limits if other is not limit]).any() for limit in limits):
        for limit in limits:
            least = costs[:, limit.cost.index].min() * (devices if limit.whole else 1)
            yield limit.conflicting(f"at least {digits(ceil(least * 1e4) / 1e4, limit.cost)}, and others as well")


def _memory(plan: PlacementPlan, need: float) -> Iterator[ConflictingLimit]:
    """More devices, more HBM, then other ways to run the model, as far as the study does not allow them already."""
    study, most = plan.study, max(plan.problem.template.hbm_bytes)
    yield from _working(plan, most, [_devices(study)])
    hbm = format_quantity(float(ceil(need / MIB) * MIB), "bytes")
    stack = plan.problem.template.hbm_stack
    if stack is None:
        yield ConflictingLimit(
            "accelerator.hbm", format_quantity(float(most), "bytes"), f"at least {hbm}", ("accelerator", "hbm")
        )
    else:
        fewest = ceil(need / stack[0])
        yield ConflictingLimit("accelerator.hbm_stacks", str(most // stack[0]), f"at least {fewest}", STACKS)
    yield from _working(plan, most, _changes(study))


_Change = tuple[tuple[str | int, ...], object, Sequence[Any], Callable[[Any], Study]]
"""Place of a key, its value, other values in the order of what they cost, and the study with one of them."""


def _working(plan: PlacementPlan, most: int, changes: Iterable[_Change]) -> Iterator[ConflictingLimit]:
    """Of each change the first value with which a placement fits into so much HBM."""
    for place, value, values, changed in changes:
        for other in values:
            try:
                if least_bytes(make_placement(changed(other), plan.inputs).problem) <= most:
                    yield ConflictingLimit(".".join(map(str, place)), _shown(value), f"{other} works", place)
                    break
            except (InputError, InfeasibleError):  # degrees that do not divide the model
                continue


def _devices(study: Study) -> _Change:
    """More of them, doubled up to 64 times: each holds less."""

    def changed(value: int) -> Study:
        return study.model_copy(update={"system": study.system.model_copy(update={"devices": value})})

    return ("system", "devices"), study.devices, [study.devices << k for k in range(1, 7)], changed


def _changes(study: Study) -> Iterator[_Change]:
    """What trains on as many devices with less memory."""
    workload, parallel = study.workloads[0], study.parallel

    def of_workload(key: str) -> Callable[[Any], Study]:
        return lambda value: study.model_copy(update={"workloads": (workload.model_copy(update={key: value}),)})

    def of_parallel(key: str) -> Callable[[Any], Study]:
        return lambda value: study.model_copy(update={"parallel": parallel.model_copy(update={key: value})})

    zero = max(choices(parallel.zero))
    yield ("parallel", "zero"), parallel.zero, range(zero + 1, 4), of_parallel("zero")
    kinds = choices(workload.recompute)
    more = () if "full" in kinds else ("full",) if "selective" in kinds else ("selective", "full")
    yield ("workloads", 0, "recompute"), workload.recompute, more, of_workload("recompute")
    least = min(choices(workload.microbatch))
    smaller = [m for m in range(least - 1, 0, -1) if workload.batch % m == 0] if least <= 4096 else [1]
    yield ("workloads", 0, "microbatch"), workload.microbatch, [*smaller[:1], *smaller[-1:]], of_workload("microbatch")
    for key in ("tensor", "pipeline"):
        given = getattr(parallel, key)
        if given != AUTO:
            degrees = [n for n in (1 << k for k in range(11)) if max(choices(given)) < n <= study.devices]
            yield ("parallel", key), given, degrees, of_parallel(key)


def _shown(value: object) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, tuple) else str(value)
