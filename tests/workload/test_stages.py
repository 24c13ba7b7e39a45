from collections import Counter
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.workload import (
    OperatorGraph,
    Stage,
    balance,
    cut,
    device_stage,
    forward_graph,
    fuse,
    load_model,
    memory,
    training_graph,
)
from accmine.workload.forward import layers
from accmine.workload.graph import GraphBuilder, Operator
from accmine.workload.training.training import parameter_gradients
from tests.samples.training_sample import forward_graphs, is_ordered

COSTS = st.lists(st.one_of(st.integers(0, 20), st.floats(0, 1e6)), min_size=1, max_size=9)


@settings(deadline=None, max_examples=60)
@given(COSTS, st.integers(1, 9))
def test_balance_equals_brute_force(costs: list[float], stages: int) -> None:
    if stages > len(costs):
        with pytest.raises(InputError, match=f"allowed: 1 to {len(costs)}"):
            balance(costs, stages)
        return

    def sums(boundaries: tuple[int, ...]) -> list[float]:
        ends = [*boundaries, len(costs)]
        return [sum(costs[a:b]) for a, b in zip([0, *boundaries], ends, strict=True)]

    splits = list(combinations(range(1, len(costs)), stages - 1))
    found = balance(costs, stages)
    assert found in splits
    best = min(max(sums(split)) for split in splits)
    assert max(sums(found)) == pytest.approx(best)
    slack = best * (1 + 1e-9) + 1e-9
    squares = min(sum(c * c for c in sums(split)) for split in splits if max(sums(split)) <= slack)
    assert sum(c * c for c in sums(found)) == pytest.approx(squares, rel=1e-6, abs=1e-6)


def test_balance_breaks_ties_by_squares() -> None:
    # The prefix (3 | 2 2) looks better than (3 2 | 2) until the last stage of 9 is the largest anyway.
    assert balance([5, 1, 1, 9], 3) == (1, 3)
    assert balance([4, 4, 4, 4], 2) == (2,)
    assert balance([1, 1, 1], 1) == ()
    assert balance([0, 0, 0], 3) == (1, 2)
    for bad in ([1.0, -1.0], [1.0, float("nan")], [float("inf"), 1.0]):
        with pytest.raises(InputError, match="finite"):
            balance(bad, 1)


def check_cut(graph: OperatorGraph, boundaries: tuple[int, ...]) -> tuple[Stage, ...]:
    stages = cut(graph, boundaries)
    starts = (0, *boundaries)
    assert [stage.layers for stage in stages] == list(zip(starts, (*boundaries, len(graph.layers)), strict=True))
    names: Counter[str] = Counter()
    for stage in stages:
        assert is_ordered(stage.training)
        parts = (stage.forward, stage.backward, stage.update)
        assert sum(map(len, parts)) == len(stage.training)
        for operator in stage.training.operators:
            names[operator.name] += 1
            first, end = stage.layers
            assert first <= operator.layer < end or operator.phase == "update"
        parameters = {t.name for t in stage.training.tensors if t.role == "parameter"}
        updated = [n for o in stage.update.operators for n in str(o.attribute("fused") or o.name).split(",")]
        assert sorted(updated) == sorted(f"{name}.update" for name in parameters)
        for operator in stage.update.operators:  # from gradients of its own
            tensors = stage.training.tensors
            gradients = [t for t in find(stage.training, operator.name).inputs if tensors[t].role == "gradient"]
            assert len(gradients) == len(str(operator.attribute("fused") or "one").split(","))
            assert all(stage.training.producer[t] >= 0 for t in gradients)
    assert set(names) == {o.name for o in graph.operators}
    assert all(names[o.name] == 1 for o in graph.operators if o.phase != "update")
    assert sum(s.training.macs for s in stages) == graph.macs
    assert stages[-1].sends_forward_bytes == stages[0].sends_backward_bytes == 0
    return stages


def find(graph: OperatorGraph, name: str) -> Operator:
    return next(o for o in graph.operators if o.name == name)


@settings(deadline=None, max_examples=60)
@given(forward_graphs(), st.data(), st.booleans(), st.booleans(), st.sampled_from(("none", "full")))
def test_laws_on_random_graphs(
    forward: OperatorGraph, data: st.DataObject, fused: bool, accumulate: bool, recompute: str
) -> None:
    graph = training_graph(forward, recompute=recompute, accumulate=accumulate)
    graph = fuse(graph) if fused else graph
    chosen = data.draw(st.sets(st.integers(1, len(graph.layers) - 1)))
    stages = check_cut(graph, tuple(sorted(chosen)))
    whole = memory(graph)
    assert sum(memory(s.training).weights_bytes for s in stages) >= whole.weights_bytes
    for stage, following in pairwise(stages):
        # Each tensor sent forward is an activation of some layer before, and gradients come back for them.
        assert (stage.sends_forward_bytes == 0) == (following.sends_backward_bytes == 0)
    holders = Counter(t.name for s in stages for t in s.training.tensors if t.role == "parameter")
    size = {t.name: t.elements * 4 for t in forward.tensors if t.role == "parameter"}
    moved = sum(s.tied_bytes for s in stages)
    assert moved == pytest.approx(sum(2 * (k - 1) * size[name] for name, k in holders.items()), abs=8 * len(holders))
    if not accumulate:
        for stage in stages:  # nothing is added to what nobody wrote
            for operator in stage.training.operators:
                for old, new in parameter_gradients(operator):
                    assert old == -1 or stage.training.producer[old] >= 0
                    assert new in operator.outputs


def test_a_pipeline_of_gpt2() -> None:
    batch, sequence, h, vocabulary = 2, 256, 1600, 50257
    graph = fuse(training_graph(forward_graph(load_model("gpt2-xl"), batch=batch, sequence=sequence, split="none")))
    stages = check_cut(graph, (12, 24, 37))
    boundary = 2 * batch * sequence * h
    assert [s.sends_forward_bytes for s in stages] == [boundary] * 3 + [0]
    assert [s.sends_backward_bytes for s in stages] == [0] + [boundary] * 3
    table = vocabulary * h
    assert [s.tied_bytes for s in stages] == [4 * table, 0, 0, 4 * table]
    memories = [memory(s.training) for s in stages]
    assert sum(m.weights_bytes for m in memories) == 2 * (graph.parameters + table)
    assert all(m.gradients_bytes == 2 * m.weights_bytes for m in memories)
    assert all(m.optimizer_bytes == 6 * m.weights_bytes for m in memories)
    layer = sequence * batch * h * (34 + 5 * 25 * sequence / h)
    assert memories[1].stash_bytes_per_microbatch == pytest.approx(12 * layer, rel=0.02)


def test_one_device_is_one_stage() -> None:
    graph = training_graph(forward_graph(load_model("bert-base"), batch=1, sequence=32))
    stage = device_stage(graph)
    assert [o.name for o in stage.training.operators] == [o.name for o in graph.operators]
    assert [o.work for o in stage.training.operators] == [o.work for o in graph.operators]
    assert (stage.sends_forward_bytes, stage.sends_backward_bytes, stage.tied_bytes) == (0, 0, 0)
    assert memory(stage.training) == memory(graph)


def test_tied_gradients_without_accumulation_start_anew_in_each_stage() -> None:
    graph = training_graph(forward_graph(load_model("bert-base"), batch=1, sequence=32), accumulate=False)
    first, last = cut(graph, (7,))
    scatter = find(first.training, "embeddings.word.dw")
    assert parameter_gradients(scatter)[0][0] == -1
    assert scatter.work.bytes_in == 32 * 768 * 2 + 32 * 4
    assert scatter.work.bytes_out == 30522 * 768 * 4  # the whole table, with zeros
    whole = find(graph, "embeddings.word.dw")
    assert whole.work.bytes_out == 32 * 768 * 4
    assert find(last.update, "embeddings.word.weight.update").work.vector[0].elements == 30522 * 768


def test_a_tensor_for_a_stage_further_on_is_relayed() -> None:
    b = GraphBuilder("skip")
    ys = []
    x = layers.input_tensor(b, "x", (6, 4), "bf16")
    for index in range(3):
        b.layer(f"layer{index}")
        weight = layers.parameter(b, f"w{index}", (4, 4), "bf16")
        x = layers.linear(b, f"linear{index}", [x], weight, None, [(6, 4)], m=6)[0]
        x = layers.elementwise(b, f"gelu{index}", "gelu", x)
        ys.append(x)
    y = layers.add(b, "skip", (ys[0], x))
    layers.cross_entropy(b, "loss", y, layers.input_tensor(b, "labels", (6,), "int32"), 4)
    stages = check_cut(training_graph(b.build()), (1, 2))
    assert [s.sends_forward_bytes for s in stages] == [48, 96, 0]  # the first output is needed by both others
    assert [s.sends_backward_bytes for s in stages] == [0, 48, 96]  # summed where the gradients meet


@pytest.mark.parametrize("boundaries", [(0,), (3,), (2, 1), (1, 1), (-1,)])
def test_impossible_boundaries(boundaries: tuple[int, ...]) -> None:
    graph = training_graph(forward_graph(load_model("resnet-18"), batch=1))
    graph = OperatorGraph(graph.name, graph.tensors, graph.operators[:0], ("a", "b", "c"))
    with pytest.raises(InputError, match="allowed: ascending, 1 to 2"):
        cut(graph, boundaries)


def test_a_chain_that_runs_backwards_cannot_be_cut() -> None:
    b = GraphBuilder("knot")
    b.layer("first")
    b.layer("second")
    x = layers.input_tensor(b, "x", (6, 4), "bf16")
    weight = layers.parameter(b, "w", (4, 4), "bf16")
    y = layers.linear(b, "linear", [x], weight, None, [(6, 4)], m=6)[0]
    z = b.tensor("z", (6, 4))
    b.operator("gelu", "gelu", (y,), (z,), layer=0)
    with pytest.raises(InputError, match="gelu of layer first reads linear"):
        cut(b.build(), (1,))
