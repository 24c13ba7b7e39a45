"""Tasks: what makes two of them equal, and how much they multiply."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.workload import PhaseRun, Task
from tests.samples.search_sample import Shape, design, graph_of, listed, planned, search, shapes, task_of


@settings(max_examples=30, deadline=None)
@given(shapes(), st.integers(1, 5))
def test_macs_count_every_repeat(found: list[Shape], repeats: int) -> None:
    graph = graph_of(found)
    task = task_of(graph, graph, repeats=(repeats, 1))
    assert task.macs == (repeats + 1) * sum(operator.work.macs for operator in graph.operators)


@settings(max_examples=30, deadline=None)
@given(shapes())
def test_names_of_operators_do_not_matter(found: list[Shape]) -> None:
    renamed = graph_of(found, [f"another{i}" for i in range(len(found))])
    assert task_of(graph_of(found)).signature == task_of(renamed).signature


@settings(max_examples=30, deadline=None)
@given(shapes(), st.data())
def test_another_order_work_or_count_makes_another_task(found: list[Shape], data: st.DataObject) -> None:
    graph = graph_of(found)
    base = task_of(graph).signature
    at = data.draw(st.integers(0, len(found) - 1))
    kind, size, before = found[at]
    changed = [*found]
    changed[at] = (kind, size + 1, before)
    assert task_of(graph_of(changed)).signature != base
    assert task_of(graph, repeats=(2,)).signature != base
    assert task_of(graph, graph).signature != base
    if before:
        changed[at] = (kind, size, before[1:])
        assert task_of(graph_of(changed)).signature != base
    assert Task("t", "t", (PhaseRun("phase0", graph, 1),), 1, 99).signature == base, "memory has no time"


@settings(max_examples=20, deadline=None)
@given(shapes(5))
def test_equal_tasks_run_in_equal_time(found: list[Shape]) -> None:
    names = [f"another{i}" for i in range(len(found))]
    one, two = search([task_of(graph_of(found))]), search([task_of(graph_of(found, names))])
    for tensor_cores in one.template.tensor_cores:
        cycles = [listed(problem, design(tensor_cores)).cycles for problem in (one, two)]
        assert cycles[0] == cycles[1]


def test_stages_of_a_pipeline_differ_and_equal_workloads_agree() -> None:
    plan, _ = planned(models=("gpt",), system={"cluster": "point-to-point"}, parallel={"pipeline": 2})
    first, second = plan.tasks
    assert first.signature != second.signature
    again, _ = planned(
        models=("gpt",), system={"cluster": "point-to-point"}, parallel={"pipeline": 2, "schedule": "gpipe"}
    )
    assert [t.signature for t in again.tasks] == [t.signature for t in plan.tasks]


@settings(max_examples=30, deadline=None)
@given(shapes())
def test_networkx_holds_every_phase(found: list[Shape]) -> None:
    graph = graph_of(found)
    names = [operator.name for operator in graph.operators]
    whole = task_of(graph, repeats=(3,)).networkx()
    assert list(whole) == names
    assert sorted(whole.edges) == sorted((names[a], names[b]) for a, b in graph.edges.tolist())
    assert {runs for _, runs in whole.nodes(data="runs")} == {3}


def test_networkx_joins_phases_by_the_tensors_they_exchange() -> None:
    plan, _ = planned(models=("gpt",))
    (task,) = plan.tasks
    inside = sum(len(phase.graph.edges) for phase in task.phases)
    before, update = task.phases[0].graph, task.phases[-1].graph
    writer = {before.tensors[t].name: o.name for o in before.operators for t in o.outputs}
    joined = {
        (writer[update.tensors[t].name], o.name)
        for o in update.operators
        for t in o.inputs
        if update.tensors[t].name in writer
    }
    assert len(joined) >= len(update)
    assert task.networkx().number_of_edges() == inside + len(joined)
