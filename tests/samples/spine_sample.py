"""Training graphs with a spine, and their schedules on small designs."""

from __future__ import annotations

from hypothesis import strategies as st

from accmine.problems import operator_schedule
from accmine.problems.design_search.lowering import lower
from accmine.workload import OperatorGraph
from tests.samples.search_sample import Shape, design, graph_of, search, task_of, template

COUNTS = st.sampled_from(((1, 1), (2, 1), (1, 2), (2, 2)))
GBPS = st.sampled_from((7, 20, 70))


@st.composite
def training(draw: st.DrawFn, most: int = 5) -> list[Shape]:
    """A spine with operators beside it that nothing waits for, as weight gradients are."""
    found: list[Shape] = []
    last: tuple[int, ...] = ()
    for _ in range(draw(st.integers(2, most))):
        kind = draw(st.sampled_from(("gemm", "vector", "fused")))
        found.append((kind, draw(st.sampled_from((16, 64, 300))), last))
        last = (len(found) - 1,)
        if draw(st.booleans()):
            found.append(("gemm", draw(st.sampled_from((16, 64, 300))), last))
    return found


def lowered(
    found: list[Shape], counts: tuple[int, int], gbps: int, split: str = "none"
) -> tuple[OperatorGraph, operator_schedule.Problem]:
    """The graph of some operators and its schedule on a design with these cores and this bandwidth."""
    space = template(hbm_bytes_per_s=(gbps * 10**9,))
    graph = graph_of(found)
    problem = search([task_of(graph)], space, split=split)
    return graph, lower(graph, problem.library, design(*counts, gbps=gbps)).problem
