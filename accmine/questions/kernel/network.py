"""A model on a described architecture: the kernel of each distinct operator, timed, and what is no kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from accmine.cost.kernel.network import OperatorKernel, network_kernels
from accmine.errors import InputError
from accmine.kernel.analysis import Analysis, analyse
from accmine.kernel.architecture import Architecture, Kernel
from accmine.kernel.described.architecture_file import load_architecture
from accmine.kernel.described.resolve import resolve
from accmine.kernel.evidence import Evidence, evidence
from accmine.kernel.program import Program
from accmine.questions.kernel.changes import Change, changes, untried
from accmine.workload import OperatorGraph, forward_graph, load_model, training_graph

__all__ = ["NetworkReport", "OperatorRow", "Unmapped", "network_report"]


@dataclass(frozen=True)
class OperatorRow:
    """Operators that are the same product.

    Attributes
    ----------
    name, kind
        Of the first of them.
    size
        b, m, k, n of the product.
    analysis
        Of one of them.
    """

    name: str
    kind: str
    count: int
    size: tuple[int, int, int, int]
    kernel: Kernel = field(repr=False)
    program: Program = field(repr=False)
    analysis: Analysis

    @property
    def cycles(self) -> int:
        """Of all of them, one after another."""
        return self.count * self.analysis.cycles


@dataclass(frozen=True)
class Unmapped:
    """Operators that have no kernel, and why."""

    reason: str
    kinds: tuple[str, ...]
    count: int


@dataclass(frozen=True)
class NetworkReport:
    """A model on an architecture.

    Attributes
    ----------
    rows
        Distinct products, the one with the most cycles first.
    changes, evidence, untried
        Of the first row, as of ``KernelReport``.
    """

    architecture: Architecture
    workload: str
    settings: Mapping[str, Any]
    rows: tuple[OperatorRow, ...]
    unmapped: tuple[Unmapped, ...]
    changes: tuple[Change, ...]
    evidence: tuple[Evidence, ...]
    untried: int = 0

    @property
    def cycles(self) -> int:
        """Of all products, one after another."""
        return sum(row.cycles for row in self.rows)

    @property
    def instructions(self) -> int:
        """Of all products."""
        return sum(row.count * row.analysis.instructions for row in self.rows)

    @property
    def seconds(self) -> float | None:
        """``None`` where the architecture has no frequency."""
        clock = self.architecture.frequency_hz
        return None if clock is None else self.cycles / clock


def network_report(
    architecture: str | Path,
    workload: str | Path,
    parameters: Mapping[str, int] | None = None,
    *,
    batch: int = 1,
    sequence: int | None = None,
    image: int | None = None,
    dtype: str = "bf16",
    training: bool = False,
) -> NetworkReport:
    """Map every product of a model to an architecture and time it; products run one after another.

    Parameters
    ----------
    training
        Gradients too, not the forward operators alone.

    Raises
    ------
    InputError
        With what is wrong in a file or an option, or if the architecture does not say how it runs products.
    """
    machine = load_architecture(architecture, None, dict(parameters or {}))
    model = load_model(workload)
    graph: OperatorGraph = forward_graph(
        model, batch=batch, sequence=sequence, image=image, split="none", dropout=False, loss=training, dtype=dtype
    )
    if training:
        graph = training_graph(graph)
    rows, without = [], []
    for found in network_kernels(graph, machine):
        if found.kernel is None:
            without.append(found)
        else:
            program = resolve(machine, found.kernel)
            rows.append(_row(found, found.kernel, program))
    if not rows:
        raise InputError(f"{graph.name} has no product that {machine.name} could run")
    rows.sort(key=lambda row: -row.cycles)
    given = {"batch": batch, "sequence": sequence or model.sequence, "image": image or model.image, "dtype": dtype}
    settings = {key: value for key, value in given.items() if value is not None} | {"training": training}
    first = rows[0]
    return NetworkReport(
        machine,
        graph.name,
        settings,
        tuple(rows),
        _unmapped(graph, without),
        changes(first.program, first.analysis),
        evidence(first.program, first.analysis),
        untried(first.program, first.analysis),
    )


def _row(found: OperatorKernel, kernel: Kernel, program: Program) -> OperatorRow:
    gemm = found.operator.work.gemm
    assert gemm is not None
    size = (gemm.batch, gemm.m, gemm.k, gemm.n)
    return OperatorRow(found.operator.name, found.operator.kind, found.count, size, kernel, program, analyse(program))


def _unmapped(graph: OperatorGraph, without: list[OperatorKernel]) -> tuple[Unmapped, ...]:
    """By reason; kinds are those of all operators of the graph that are no product, most first."""
    others: dict[str, int] = {}
    for operator in graph.operators:
        if operator.work.gemm is None or operator.work.attention is not None:
            others[operator.kind] = others.get(operator.kind, 0) + 1
    kinds = tuple(sorted(others, key=lambda kind: -others[kind]))
    counts: dict[str, int] = {}
    for found in without:
        counts[found.reason] = counts.get(found.reason, 0) + found.count
    several = len(counts) > 1
    by_reason = {
        found.reason: tuple(dict.fromkeys(one.operator.kind for one in without if one.reason == found.reason))
        for found in without
    }
    return tuple(Unmapped(reason, by_reason[reason] if several else kinds, n) for reason, n in counts.items())
