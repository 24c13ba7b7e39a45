"""The limits of a study as yes-or-no questions: can the devices be built, and hold their tasks, under some of them?

A limit is named by its key in the study: ``limits.area``, ``device_limits.tdp``, a tunable of the template such as
``accelerator.tensor_cores``, or what decides the memory of a workload (``workloads.0.microbatch``). A limit that
is taken away may have any value. Taking a tunable away lets it be as small as it can be written: area and TDP rise
with every one of them (for HBM: as small as the task needs).

Area and TDP are sums over the chip, its tensor cores and its vector cores, so the undominated pairs of both come
from the undominated pairs of the three, with the fewest cores. What is found is exact up to the accuracy of
floating-point sums, one part in 10⁹ beyond a limit still meets it, as everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import product
from math import ceil, inf
from typing import Any

from accmine.errors import InputError
from accmine.files import Document, Place, format_quantity
from accmine.hardware import Chip, TensorCore, VectorCore
from accmine.plan.build import make_plan
from accmine.plan.limits import COSTS, KEYS, Limit
from accmine.plan.plan import Group, Plan
from accmine.problems.conflict import where_of
from accmine.problems.limits import widened

__all__ = ["GIB", "TUNABLES", "StudyLimits", "Tunable"]

GIB = 1 << 30

Pair = tuple[float, float]
"""Area in mm² and TDP in W."""

_Values = dict[str, tuple[int, ...]]
"""Values of the fields of a template that area and TDP depend on."""


class Tunable:
    """A tunable of the template as a limit.

    Attributes
    ----------
    key
        As a study writes it.
    fields
        The template's fields that it sets.
    dimension, grain
        Of its values (``None``: a plain count), and the step in which a value that helps is looked for.
    unit
        Of the template's field per one of a plain count.
    """

    def __init__(
        self, key: str, fields: tuple[str, ...], dimension: str | None, least: int, grain: int, unit: int = 1
    ) -> None:
        self.key = key
        self.fields = fields
        self.dimension = dimension
        self.least = least
        self.grain = grain
        self.unit = unit

    def text(self, value: int) -> str:
        """A value as a study writes it."""
        return str(value // self.unit) if self.dimension is None else format_quantity(float(value), self.dimension)


TUNABLES: tuple[Tunable, ...] = (
    Tunable("tensor_cores", ("tensor_cores",), None, 1, 1),
    Tunable("tensor_dim", ("tensor_rows", "tensor_cols"), None, 1, 1),
    Tunable("tensor_rows", ("tensor_rows",), None, 1, 1),
    Tunable("tensor_cols", ("tensor_cols",), None, 1, 1),
    Tunable("tensor_sram", ("tensor_sram_bytes",), "bytes", 1024, 1024),
    Tunable("vector_cores", ("vector_cores",), None, 1, 1),
    Tunable("vector_lanes", ("vector_lanes",), None, 1, 1),
    Tunable("vector_ops_per_lane", ("vector_ops_per_lane",), None, 1, 1),
    Tunable("vector_sram", ("vector_sram_bytes",), "bytes", 1024, 1024),
    Tunable("shared_sram", ("shared_sram_bytes",), "bytes", 0, 1024),
    Tunable("port_bandwidth", ("port_bytes_per_s",), "bytes/s", 10**6, 10**6),
    Tunable("hbm", ("hbm_bytes",), "bytes", 1 << 20, 1 << 20),
    Tunable("hbm_bandwidth", ("hbm_bytes_per_s",), "bytes/s", 10**6, 10**6),
    Tunable("frequency", ("frequency_hz",), "hertz", 10**6, 10**6),
)
"""Tunables on which area or TDP depend, in the order of a study; ``hbm_stacks`` depends on the stack."""


class StudyLimits:
    """The limits of a plan in one mode.

    Parameters
    ----------
    plan
        The study's.
    groups
        Devices that share a design.
    """

    def __init__(self, plan: Plan, groups: Sequence[Group]) -> None:
        self.plan = plan
        self.groups = tuple(groups)
        self._fronts: dict[tuple[Any, ...], list[Pair]] = {}
        self._plans: dict[tuple[Any, ...], Plan] = {}

    @cached_property
    def tunables(self) -> dict[str, Tunable]:
        """Tunables that the study sets and that could be smaller, by the name of their limit; HBM if it is too small.

        What the study leaves to the template's file is not in question.
        """
        given = self.plan.study.accelerator.mapping()
        template = self.plan.template
        found = {
            f"accelerator.{t.key}": t
            for t in (*TUNABLES, self._hbm_tunable)
            if t.key in given and any(min(getattr(template, field)) > t.least for field in t.fields)
        }
        if self.memory > max(template.hbm_bytes):
            found[self.hbm] = self._hbm_tunable
        return found

    @cached_property
    def hbm(self) -> str:
        """Name of the limit of the HBM's capacity."""
        return f"accelerator.{self._hbm_tunable.key}"

    @cached_property
    def hbm_grain(self) -> int:
        """Bytes by which the HBM is enlarged: a stack, or a GiB."""
        stack = self.plan.template.hbm_stack
        return GIB if stack is None else stack[0]

    @cached_property
    def _hbm_tunable(self) -> Tunable:
        stack = self.plan.template.hbm_stack
        if stack is None:
            return next(t for t in TUNABLES if t.key == "hbm")
        return Tunable("hbm_stacks", ("hbm_bytes",), None, stack[0], stack[0], stack[0])

    @cached_property
    def memory(self) -> int:
        """HBM that the largest task needs, in bytes."""
        return max((task.memory_bytes for task in self.plan.tasks), default=0)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All limits there are: tunables, what decides the memory, area and TDP."""
        memory = []
        decisive = self.memory > min(self.plan.template.hbm_bytes)
        for i, workload in enumerate(self.plan.study.workloads if decisive else ()):
            if workload.samples > 1:
                memory.append(f"workloads.{i}.microbatch")
            if workload.recomputed != "full":
                memory.append(f"workloads.{i}.recompute")
        return (*self.tunables, *memory, *self.limits)

    @cached_property
    def limits(self) -> dict[str, Limit]:
        """Limits of cost, by key."""
        return {limit.key: limit for limit in self.plan.limits}

    def place(self, name: str) -> Place:
        """Keys and indices of a limit in the study."""
        return tuple(int(step) if step.isdecimal() else step for step in name.split("."))

    def where(self, name: str) -> str:
        """``file:line:column`` of a tunable that the template's file sets; else empty: the study says it."""
        if name not in self.tunables or self.tunables[name].key in self.plan.study.accelerator.mapping():
            return ""
        return where_of(self._template_file, (self.tunables[name].key,))

    @property
    def _template_file(self) -> Document:
        return self.plan.inputs.template_file

    def value(self, name: str) -> str:
        """The value of a limit as the study, or the template's file, says it."""
        study = self.plan.study
        if name in self.limits:
            return self.limits[name].text
        if name in self.tunables:
            key, given = self.tunables[name].key, study.accelerator.mapping()
            return _shown(given[key] if key in given else self._template_file.data[key])
        _, index, key = name.split(".")
        return str(getattr(study.workloads[int(index)], key))

    def feasible(self, kept: frozenset[str], values: Mapping[str, float] | None = None) -> bool:
        """Whether every device can be built and hold its task while the limits in ``kept`` hold.

        Parameters
        ----------
        values
            Other values of limits in ``kept``: of area and TDP in mm² and W, of tunables in base units (the one
            value that is allowed), and microbatches.
        """
        limit = self._most(kept, values, whole=True)
        return any(area <= limit[0] and tdp <= limit[1] for area, tdp in self.totals(kept, values))

    def totals(self, kept: frozenset[str], values: Mapping[str, float] | None = None) -> list[Pair]:
        """Undominated area and TDP of all devices together, under all of ``kept`` but the limits of the whole."""
        sums: list[Pair] = [(0.0, 0.0)]
        for options, count in zip(self.options(kept, values), self.counts, strict=True):
            sums = _front((a + count * area, b + count * tdp) for a, b in sums for area, tdp in options)
        return sums

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Chips of each group."""
        if len(self.groups) == 1:
            return (self.plan.devices,)
        return tuple(len(group.members) for group in self.groups)

    def options(self, kept: frozenset[str], values: Mapping[str, float] | None = None) -> list[list[Pair]]:
        """Undominated area and TDP of one device of each group under the limits of ``kept``."""
        found = []
        limit = self._most(kept, values, whole=False)
        for need in self._needs(kept, values or {}):
            front = self._pairs(self._values(kept, values or {}, need))
            found.append([pair for pair in front if pair[0] <= limit[0] and pair[1] <= limit[1]])
        return found

    def limit(self, name: str, values: Mapping[str, float] | None = None) -> float:
        """A limit of cost in mm² or W; ``inf`` where there is none."""
        return (values or {}).get(name, self.plan.limit(name))

    def _most(self, kept: frozenset[str], values: Mapping[str, float] | None, *, whole: bool) -> list[float]:
        """The largest of each cost that meets the limits of ``kept`` of one scope."""
        most = [inf] * len(COSTS)
        for name in kept & set(KEYS):
            limit = Limit.of(name, self.limit(name, values))
            if limit.whole is whole:
                most[limit.cost.index] = widened(limit.value)
        return most

    def _values(self, kept: frozenset[str], values: Mapping[str, float], need: int) -> _Values:
        """Values of every tunable that decides area and TDP: those that are taken away may be as small as can be."""
        found = {field: tuple(getattr(self.plan.template, field)) for t in TUNABLES for field in t.fields}
        for name, tunable in self.tunables.items():
            for field in tunable.fields:
                if name not in kept:
                    found[field] = tuple(sorted({tunable.least, *found[field]}))
                elif name in values:
                    found[field] = (int(values[name]),)
        if self.hbm in self.tunables and self.hbm not in kept:
            found["hbm_bytes"] = (ceil(need / self.hbm_grain) * self.hbm_grain,)
        found["hbm_bytes"] = tuple(size for size in found["hbm_bytes"] if size >= need)
        return found

    def _needs(self, kept: frozenset[str], values: Mapping[str, float]) -> list[int]:
        """HBM that a device of each group needs, with the microbatch and the recomputation that ``kept`` leaves."""
        change: list[tuple[int, int, str]] = []
        for i, workload in enumerate(self.plan.study.workloads):
            free = [f"workloads.{i}.{key}" in set(self.names) - kept for key in ("microbatch", "recompute")]
            own = int(values.get(f"workloads.{i}.microbatch", workload.samples))
            change.append((i, 1 if free[0] else own, "full" if free[1] else workload.recomputed))
        return self.needs(self.with_memory(change))

    def needs(self, plan: Plan) -> list[int]:
        """HBM that a device of each group needs in a plan with the same devices."""
        return [max(plan.pipelines[w].tasks[s].memory_bytes for w, s in group.members) for group in self.groups]

    def with_memory(self, change: Sequence[tuple[int, int, str]]) -> Plan:
        """The plan with other (workload, microbatch, recompute)."""
        study = self.plan.study
        workloads = list(study.workloads)
        for i, microbatch, recompute in change:
            workloads[i] = workloads[i].model_copy(update={"microbatch": microbatch, "recompute": recompute})
        if tuple(workloads) == study.workloads:
            return self.plan
        key = tuple((w.samples, w.recomputed) for w in workloads)
        if key not in self._plans:
            self._plans[key] = make_plan(study.model_copy(update={"workloads": tuple(workloads)}), self.plan.inputs)
        return self._plans[key]

    def _pairs(self, values: _Values) -> list[Pair]:
        """Undominated area and TDP of the designs of these values."""
        key = tuple(values.items())
        if key not in self._fronts:
            clocks = values["frequency_hz"]
            self._fronts[key] = _front(pair for clock in clocks for pair in self._at_clock(values, clock))
        return self._fronts[key]

    def _at_clock(self, values: _Values, clock: int) -> list[Pair]:
        """The same at one clock; empty above what the technology covers."""
        try:
            self.plan.technology.need_clock(clock)
        except InputError:
            return []
        law, power = self.plan.technology.area, self.plan.technology.power
        flow = self.plan.template.dataflow[0]
        # Ports belong to the cores and memory to the chip: with the narrowest port no design seems larger than it is.
        least = Chip(0, 0, clock, min(values["shared_sram_bytes"]), min(values["port_bytes_per_s"]))

        stack_rate = self.plan.template.stack_rate

        def chip(capacity: int, rate: int, shared: int) -> Pair:
            whole = Chip(capacity, stack_rate(capacity) or rate, clock, shared)
            area = sum(law.fixed_mm2(whole).values())
            return area, 0.0 if power is None else sum(power.fixed_w(whole, law.stacks(whole), area).values())

        def tensor(rows: int, cols: int, sram: int) -> Pair:
            core = TensorCore(rows, cols, sram, flow, self.plan.template.tensor_rates)
            area = sum(law.tensor_mm2(core, least).values())
            return area, 0.0 if power is None else sum(power.tensor_w(core, least, area).values())

        def vector(lanes: int, operations: int, sram: int) -> Pair:
            core = VectorCore(lanes, operations, sram, self.plan.template.vector_rates)
            area = sum(law.vector_mm2(core, least).values())
            return area, 0.0 if power is None else sum(power.vector_w(core, least, area).values())

        parts = (
            (chip, ("hbm_bytes", "hbm_bytes_per_s", "shared_sram_bytes"), 1),
            (tensor, ("tensor_rows", "tensor_cols", "tensor_sram_bytes"), min(values["tensor_cores"])),
            (vector, ("vector_lanes", "vector_ops_per_lane", "vector_sram_bytes"), min(values["vector_cores"])),
        )
        sums: list[Pair] = [(0.0, 0.0)]
        for cost, fields, count in parts:
            row = _front(_defined(cost, product(*(values[field] for field in fields))))
            sums = _front((a + count * area, b + count * tdp) for a, b in sums for area, tdp in row)
        return sums


def _defined(cost: Callable[..., Pair], rows: Iterable[tuple[int, ...]]) -> Iterator[Pair]:
    """The costs of what the technology covers: a law of tables has no entry for most values."""
    for row in rows:
        with suppress(InputError):
            yield cost(*row)


def _front(pairs: Iterable[Pair]) -> list[Pair]:
    """Pairs that no other one beats or equals in both values, by rising first value."""
    found: list[Pair] = []
    for pair in sorted(pairs):
        if not found or pair[1] < found[-1][1]:
            found.append(pair)
    return found


def _shown(value: Any) -> str:
    return "[" + ", ".join(map(str, value)) + "]" if isinstance(value, list | tuple) else str(value)
