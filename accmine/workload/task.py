"""Tasks: what one device does in one training step."""

from __future__ import annotations

from dataclasses import dataclass

from accmine.workload.graph import OperatorGraph

__all__ = ["PhaseRun", "Task"]


@dataclass(frozen=True, eq=False)
class PhaseRun:
    """A graph that is scheduled on its own and run ``repeats`` times in a step, never overlapping."""

    name: str
    graph: OperatorGraph
    repeats: int


@dataclass(frozen=True, eq=False)
class Task:
    """The share of one device in one step of one workload.

    On one device forward and backward of a microbatch are one phase; a pipeline stage has forward,
    backward and update apart. The update runs once.

    Attributes
    ----------
    name, workload
        Unique name of the task, and the workload it belongs to.
    phases
        Run one after the other.
    microbatches
        Microbatches of a step.
    memory_bytes
        HBM capacity the task needs.
    """

    name: str
    workload: str
    phases: tuple[PhaseRun, ...]
    microbatches: int
    memory_bytes: int

    @property
    def macs(self) -> int:
        """Multiply-accumulates of a step."""
        return sum(phase.repeats * phase.graph.macs for phase in self.phases)

    @property
    def signature(self) -> tuple[tuple[str, int, tuple[object, ...], bytes, bytes], ...]:
        """Equal for tasks that every design runs in equal time (equal works in equal order)."""
        return tuple(
            (p.name, p.repeats, tuple(p.graph.works), p.graph.work_index.tobytes(), p.graph.edges.tobytes())
            for p in self.phases
        )
