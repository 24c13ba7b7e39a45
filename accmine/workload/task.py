"""Tasks: what one device does in one training step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from accmine.workload.graph import OperatorGraph

if TYPE_CHECKING:
    import networkx as nx

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

    def networkx(self) -> nx.DiGraph:
        """The operators of a step for networkx, as those of ``OperatorGraph`` with their ``runs`` in a step.

        What a phase reads of an earlier one is an edge as well.
        """
        import networkx as nx

        whole = nx.DiGraph(name=self.name)
        writer: dict[str, str] = {}
        for phase in self.phases:
            graph = phase.graph
            part = graph.networkx()
            nx.set_node_attributes(part, phase.repeats, "runs")
            whole.update(part)
            for tensor, producer in enumerate(graph.producer.tolist()):
                if producer >= 0:
                    writer[graph.tensors[tensor].name] = graph.operators[producer].name
            for operator in graph.operators:
                before = (graph.tensors[t].name for t in operator.inputs if graph.producer[t] < 0)
                whole.add_edges_from((writer[name], operator.name) for name in before if name in writer)
        return whole

    @property
    def signature(self) -> tuple[tuple[str, int, tuple[object, ...], bytes, bytes], ...]:
        """Equal for tasks that every design runs in equal time (equal works in equal order)."""
        return tuple(
            (p.name, p.repeats, tuple(p.graph.works), p.graph.work_index.tobytes(), p.graph.edges.tobytes())
            for p in self.phases
        )
