"""Feasibility of a study before anything is searched: which limits conflict, and the least change of each that helps.

The questions are those of ``accmine.plan.limits``: a yes is a design for every device, a no is proven over every
design of the template. Throughput is no part of them; a floor that nothing reaches is told by
``accmine.search.floor``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import ceil, inf

from accmine.errors import InfeasibleError
from accmine.plan import GIB, KEYS, Group, Limit, Plan, StudyLimits, digits, make_plan
from accmine.problems.conflict import ConflictingLimit, conflicts, infeasible
from accmine.problems.limits import widened

__all__ = ["format_gib", "least_value", "require_feasible", "rounded_up"]

DIGITS = 4
"""Digits behind the point of a least area or TDP: rounded up, so the value shown works."""

ALONE = "no value of it is enough while the other limits stay"


def require_feasible(plan: Plan, groups: Sequence[Group]) -> None:
    """Check that every device can be built and hold its task.

    Raises
    ------
    InfeasibleError
        Naming minimal sets of limits in conflict, and for each limit the least change that works with the others
        as they are.
    """
    limits = StudyLimits(plan, groups)
    every = frozenset(limits.names)
    if not limits.feasible(every):
        raise explain(limits)


def explain(limits: StudyLimits) -> InfeasibleError:
    """The error of limits that nothing meets."""
    names = limits.names
    order = {name: i for i, name in enumerate(dict.fromkeys([*KEYS, *names]))}
    found = [sorted(members, key=order.__getitem__) for members in conflicts(names, limits.feasible)]
    found.sort(key=lambda members: [order[name] for name in members])
    members: dict[str, ConflictingLimit] = {}
    for own in found:
        for name in own:
            if name not in members:
                remedy = _remedy_among(limits, name, own, found)
                members[name] = ConflictingLimit(
                    name, limits.value(name), remedy, limits.place(name), limits.where(name)
                )
    more = [*_deeper(limits, members), *_together(limits, found)]
    # what makes room comes before the limits, which somebody has set for a reason
    ordered = sorted(members.values(), key=lambda limit: (limit.name != limits.hbm, limit.name in limits.limits))
    return infeasible(_message(limits, found, members), ordered, more)


def _message(limits: StudyLimits, found: Sequence[Sequence[str]], members: Mapping[str, ConflictingLimit]) -> str:
    count = len(members)
    which = "this limit" if count == 1 else f"these {count} limits together"
    text = f"no design of the template meets {which}"
    if limits.hbm in members and limits.memory > max(limits.plan.template.hbm_bytes):
        text = _memory_message(limits.plan)
    if len(found) > 1:
        sets = "; ".join(" with ".join(own) for own in found)
        return f"{text}; {len(found)} conflicts, and each needs a change: {sets}. What helps:"
    return text if count == 1 else f"{text}; the change of any one of them is enough"


def _remedy_among(limits: StudyLimits, name: str, own: Sequence[str], found: Sequence[Sequence[str]]) -> str:
    """What helps of one limit: with all others as they are, or once the other conflicts are resolved."""
    every = frozenset(limits.names)
    remedy = _remedy(limits, name, every)
    if remedy is not None:
        return remedy if len(found) == 1 else f"{remedy}, which is enough alone"
    others = frozenset(other for members in found for other in members) - frozenset(own)
    remedy = _remedy(limits, name, every - others)
    return ALONE if remedy is None else f"{remedy}, once the other conflicts are resolved"


def _remedy(limits: StudyLimits, name: str, kept: frozenset[str]) -> str | None:
    """The least change of one limit that works while the others of ``kept`` stay; ``None``: there is none."""
    if not limits.feasible(kept - {name}):
        return None
    if name in limits.limits:
        value = least_value(limits, name, kept)
        return None if value is None else f"at least {digits(rounded_up(value), limits.limits[name].cost)}"
    if name.endswith(".recompute"):
        return "full"
    if name.endswith(".microbatch"):
        return _microbatch(limits, name, kept)
    if name == limits.hbm and limits.memory > max(limits.plan.template.hbm_bytes):
        size = ceil(limits.memory / limits.hbm_grain)
        unit = " GiB" if limits.plan.template.hbm_stack is None else ""
        return f"at least {size}{unit}" if limits.feasible(kept, {name: size * limits.hbm_grain}) else None
    return _tunable(limits, name, kept)


def _microbatch(limits: StudyLimits, name: str, kept: frozenset[str]) -> str | None:
    """The largest divisor of the batch below the microbatch that works."""
    workload = limits.plan.study.workloads[int(name.split(".")[1])]
    fitting = [m for m in _divisors(workload.batch) if m < workload.samples]
    low = _last(len(fitting), lambda i: limits.feasible(kept, {name: fitting[i]}))
    return None if low < 0 else f"at most {fitting[low]}"


def _divisors(number: int) -> list[int]:
    small = [d for d in range(1, int(number**0.5) + 1) if number % d == 0]
    return sorted({*small, *(number // d for d in small)})


def _tunable(limits: StudyLimits, name: str, kept: frozenset[str]) -> str | None:
    """The largest value of a tunable, below those that the template allows, that works."""
    tunable = limits.tunables[name]
    current = min(min(getattr(limits.plan.template, field)) for field in tunable.fields)
    first = -(-tunable.least // tunable.grain)
    count = -(-current // tunable.grain) - first

    def value(i: int) -> int:
        return max(tunable.least, (first + i) * tunable.grain)

    low = _last(count, lambda i: limits.feasible(kept, {name: value(i)}))
    return None if low < 0 else f"at most {tunable.text(value(low))}"


def _last(count: int, works: Callable[[int], bool]) -> int:
    """The last of so many indices that works, of which the first ones do and the others do not; -1 for none."""
    low, high = -1, count
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if works(middle) else (low, middle)
    return low


def least_value(
    limits: StudyLimits, name: str, kept: frozenset[str], values: Mapping[str, float] | None = None
) -> float | None:
    """The least value of a limit of area (mm²) or TDP (W) that works while the others of ``kept`` stay.

    ``None`` if none does. The next larger float may be needed to meet it: the limits allow a part in 10⁹.
    """
    others, own = kept - {name}, Limit.of(name, inf)
    index = own.cost.index
    if own.whole:
        other = "limits.tdp" if index == 0 else "limits.area"
        cap = widened(limits.limit(other, values)) if other in kept else inf
        sums = [pair[index] for pair in limits.totals(others, values) if pair[1 - index] <= cap]
        return min(sums, default=None)
    single = sorted({pair[index] for options in limits.options(others, values) for pair in options}, reverse=True)
    low = _last(len(single), lambda i: limits.feasible(kept | {name}, {**(values or {}), name: single[i]}))
    return None if low < 0 else single[low]


def rounded_up(value: float) -> float:
    """An area or TDP with four digits behind the point, not below ``value``."""
    return ceil(value * 10.0**DIGITS) / 10.0**DIGITS


def _together(limits: StudyLimits, found: Sequence[Sequence[str]]) -> list[str]:
    """Values of one limit of each conflict that work at once; the least of each given those before it."""
    if len(found) < 2 or frozenset.intersection(*map(frozenset, found)):
        return []
    kept = frozenset(limits.names) - {name for members in found for name in members}
    values: dict[str, float] = {}
    for members in found:
        kept |= frozenset(members)
        name = next((name for name in members if name in limits.limits and name not in values), None)
        if name is None or limits.feasible(kept, values):
            continue
        value = least_value(limits, name, kept, values)
        if value is not None:
            values[name] = rounded_up(value)
    if not values or not limits.feasible(frozenset(limits.names), values):
        return []
    texts = [f"{name}: {digits(value, limits.limits[name].cost)}" for name, value in values.items()]
    return [f"together: {' and '.join(texts)} work"]


def _deeper(limits: StudyLimits, members: Mapping[str, ConflictingLimit]) -> list[str]:
    """A deeper pipeline that works, if doubling its depth finds one: its devices hold less each."""
    plan, study = limits.plan, limits.plan.study
    if limits.hbm not in members or limits.memory <= max(plan.template.hbm_bytes):
        return []
    most = min(pipeline.stages[-1].layers[1] for pipeline in plan.pipelines)
    depth = 2 * study.parallel.depth
    while depth <= most:
        # Links do not matter here: what a device holds does not depend on them.
        parallel = study.parallel.model_copy(update={"pipeline": depth, "stages": None})
        system = study.system.model_copy(update={"devices": depth})
        deeper = make_plan(study.model_copy(update={"system": system, "parallel": parallel}), plan.inputs)
        own = StudyLimits(deeper, deeper.groups(study.mode))
        if own.feasible(frozenset(own.names)):
            return [f"parallel.pipeline: {depth} works, with {deeper.devices} devices"]
        depth *= 2
    return []


def _memory_message(plan: Plan) -> str:
    """The task that needs most HBM, and for what."""
    pairs = [pair for pipeline in plan.pipelines for pair in zip(pipeline.tasks, pipeline.memory, strict=True)]
    task, need = max(pairs, key=lambda pair: pair[0].memory_bytes)
    return (
        f"{task.name} needs {format_gib(task.memory_bytes)} of HBM, the largest allowed has "
        f"{format_gib(max(plan.template.hbm_bytes))}: weights {format_gib(need.weights_bytes)}, gradients "
        f"{format_gib(need.gradients_bytes)}, optimiser {format_gib(need.optimizer_bytes)}, activations "
        f"{format_gib(need.stash_bytes_per_microbatch * need.in_flight)} ({need.in_flight} microbatch(es) in "
        f"flight), working set {format_gib(need.working_set_bytes)}"
    )


def format_gib(count: int) -> str:
    """Bytes as GiB with two digits."""
    return f"{count / GIB:.2f} GiB"
