"""Tensors that stay on chip: hand counts, and laws on random graphs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.workload import (
    WINDOW,
    OperatorGraph,
    cut,
    device_stage,
    forward_graph,
    fuse,
    load_model,
    local_bytes,
    training_graph,
)
from accmine.workload.forward import layers
from accmine.workload.graph import GraphBuilder, Operator
from accmine.workload.residency import resident
from accmine.workload.training.training import parameter_gradients
from tests.samples.training_sample import convnet, forward_graphs

PLENTY = 1 << 60


def saved(graph: OperatorGraph, capacity: int = PLENTY) -> dict[str, int]:
    """Bytes each operator saves, without those that save nothing."""
    found = {o.name: local_bytes(o.work, capacity) for o in graph.operators}
    return {name: amount for name, amount in found.items() if amount}


def chain(*kinds: str, elements: int = 100) -> OperatorGraph:
    """Element-wise operators one after the other, on tensors of equal size."""
    b = GraphBuilder("chain")
    b.layer("only")
    x = layers.input_tensor(b, "x", (elements,), "bf16")
    for i, kind in enumerate(kinds):
        x = layers.elementwise(b, f"o{i}", kind, x)
    return b.build()


def step(forward: OperatorGraph, mode: str, recompute: str = "none") -> OperatorGraph:
    return fuse(training_graph(forward, recompute=recompute), mode)


def test_a_chain_by_hand() -> None:
    graph = resident(chain("gelu", "relu", "tanh"))
    # The first read and the last write remain; in between two tensors of 200 bytes are neither written nor read.
    assert saved(graph) == {"o0": 200, "o1": 400, "o2": 200}
    # The first tensor stays alone in 200 bytes; the second needs room beside it while o1 works.
    assert [o.work.local for o in graph.operators] == [((200, 200),), ((200, 200), (400, 200)), ((400, 200),)]
    assert saved(graph, 399) == {"o0": 200, "o1": 200}
    assert saved(graph, 199) == {}


def test_a_tensor_that_is_read_again_later() -> None:
    b = GraphBuilder("skip")
    b.layer("only")
    first = layers.elementwise(b, "first", "gelu", layers.input_tensor(b, "x", (100,), "bf16"))
    y = first
    for i in range(3):
        y = layers.elementwise(b, f"o{i}", "relu", y)
    layers.add(b, "add", (first, y))
    graph = b.build()
    assert saved(resident(graph, window=4)) == {"first": 200, "o0": 400, "o1": 400, "o2": 400, "add": 400}
    # Between the others first.y does not fit: it is read from HBM twice.
    without = {"o0": 200, "o1": 400, "o2": 400, "add": 200}
    assert saved(resident(graph, window=3)) == without
    assert saved(resident(graph, window=4), 599) == without  # tensors of short life come first
    assert resident(graph, window=4).operators[0].work.local == ((600, 200),)


def test_activations_kept_for_the_backward_pass_are_written_all_the_same() -> None:
    b = GraphBuilder("stash")
    b.layer("only")
    x = layers.input_tensor(b, "x", (4, 8), "bf16")
    x = layers.linear(b, "up", [x], layers.parameter(b, "w", (8, 8), "bf16"), None, [(4, 8)], m=4)[0]
    x = layers.elementwise(b, "gelu", "gelu", x)  # its backward reads up.y
    x = layers.elementwise(b, "scale", "scale", x, 0.5)  # its backward reads nothing of gelu.y
    layers.cross_entropy(b, "loss", x, layers.input_tensor(b, "labels", (4,), "int32"), 8)
    found = saved(resident(training_graph(b.build(), accumulate=False)))
    tensor = 4 * 8 * 2
    assert found == {
        "gelu": tensor + tensor,  # reads up.y on chip and does not write gelu.y; up writes up.y for gelu.bwd
        "scale": tensor + tensor,
        "loss": tensor,  # the probabilities are kept for loss.bwd
        "loss.bwd": tensor,
        "scale.bwd": tensor + tensor,
        "gelu.bwd": tensor + tensor,  # up.y comes from HBM
        "up.dw": tensor,  # x comes from outside; the gradient of w goes to the optimiser
    }


def test_gradients_of_parameters_never_stay() -> None:
    """A weight that is used twice: the second product adds to the gradient that the first has written."""
    b = GraphBuilder("tied")
    b.layer("only")
    x = layers.input_tensor(b, "x", (4, 8), "bf16")
    weight = layers.parameter(b, "w", (8, 8), "bf16")
    for name in ("first", "second"):
        x = layers.linear(b, name, [x], weight, None, [(4, 8)], m=4)[0]
    layers.cross_entropy(b, "loss", x, layers.input_tensor(b, "labels", (4,), "int32"), 8)
    graph = training_graph(b.build(), accumulate=False)
    pairs = {o.name: parameter_gradients(o) for o in graph.operators if o.name.endswith(".dw")}
    assert pairs["first.dw"][0][0] == pairs["second.dw"][0][1]
    found = saved(resident(graph, window=10_000))
    tensor = 4 * 8 * 2
    assert (found["second.dw"], found["first.dw"]) == (tensor, tensor)  # dy; the sum of gradients takes 256 bytes
    assert not any(name.endswith(".update") for name in found)


def test_recomputed_tensors_belong_to_the_backward_pass() -> None:
    graph = resident(step(forward_graph(load_model("bert-base"), batch=1, sequence=32, split="none"), "none", "full"))
    again = {name for name in saved(graph) if name.endswith(".re")}
    assert any(name.endswith("softmax.re") for name in again)


def test_what_is_not_touched_is_not_saved() -> None:
    """The pooler reads one token of 32; the gradient of a table adds to a few rows."""
    graph = training_graph(forward_graph(load_model("bert-base"), batch=2, sequence=32, split="none"))
    marked = {o.name: o for o in resident(graph, window=100).operators}
    token = 2 * 768 * 2
    assert local_bytes(marked["pooler"].work, PLENTY) == token + token  # its rows of x, and its output
    # The head reads the whole tensor; its own output is kept for the backward pass of gelu, so it is written.
    assert local_bytes(marked["head.transform"].work, PLENTY) == 32 * token
    for operator in marked.values():
        assert local_bytes(operator.work, PLENTY) <= operator.work.bytes_in + operator.work.bytes_out


def oracle(graph: OperatorGraph, window: int, capacity: int) -> dict[str, int]:
    """Savings by plain loops; also checks that what stays fits at every operator."""
    sums = {t for o in graph.operators for pair in parameter_gradients(o) for t in pair}
    candidates: list[tuple[int, int, int, int, list[int], bool]] = []
    for t, tensor in enumerate(graph.tensors):
        source = int(graph.producer[t])
        if source < 0 or t in sums or tensor.role not in ("activation", "gradient"):
            continue
        everyone = [i for i, o in enumerate(graph.operators) if t in o.inputs]
        same = [i for i in everyone if graph.operators[i].phase == graph.operators[source].phase]
        if same and max(same) <= source + window:
            candidates.append((tensor.nbytes, t, source, max(same), same, same == everyone))
    kept = []
    for mine in candidates:
        beside = [o for o in candidates if (o[3] - o[2], *o[:2]) <= (mine[3] - mine[2], *mine[:2])]
        places = range(mine[2], mine[3] + 1)
        if all(sum(o[0] for o in beside if o[2] <= place <= o[3]) <= capacity for place in places):
            kept.append(mine)
    for place in range(len(graph)):
        assert sum(size for size, _, first, last, _, _ in kept if first <= place <= last) <= capacity
    found = dict.fromkeys((o.name for o in graph.operators), 0)
    for size, _, source, _, same, unwritten in kept:
        for index in same:
            found[graph.operators[index].name] += _touched(graph, graph.operators[index], size)
        found[graph.operators[source].name] += size if unwritten else 0
    return {name: amount for name, amount in found.items() if amount}


def _touched(graph: OperatorGraph, operator: Operator, size: int) -> int:
    whole = sum(graph.tensors[t].nbytes for t in set(operator.inputs))
    return max(0, size - max(0, whole - operator.work.bytes_in))


@settings(deadline=None, max_examples=40)
@given(
    forward_graphs(2),
    st.sampled_from(("none", "full")),
    st.sampled_from(("none", "elementwise")),
    st.integers(0, 12),
    st.integers(0, 2000),
)
def test_equal_to_plain_loops(forward: OperatorGraph, recompute: str, fusion: str, window: int, capacity: int) -> None:
    graph = step(forward, fusion, recompute)
    assert saved(resident(graph, window=window), capacity) == oracle(graph, window, capacity)


@settings(deadline=None, max_examples=40)
@given(forward_graphs(), st.sampled_from(("none", "elementwise")), st.integers(0, 40))
def test_laws(forward: OperatorGraph, fusion: str, window: int) -> None:
    graph = step(forward, fusion)
    marked = resident(graph, window=window)
    wider = resident(graph, window=window + 3)
    assert (marked.tensors, marked.edges.tolist()) == (graph.tensors, graph.edges.tolist())
    for plain, work, wide in zip(graph.operators, marked.operators, wider.operators, strict=True):
        assert replace(work, work=replace(work.work, local=())) == plain
        needs = [need for need, _ in work.work.local]
        assert needs == sorted(set(needs))
        assert all(amount > 0 for _, amount in work.work.local)
        by_capacity = [local_bytes(work.work, capacity) for capacity in (0, *needs, PLENTY)]
        assert by_capacity == sorted(by_capacity)
        assert by_capacity[0] == 0
        assert by_capacity[-1] <= plain.work.bytes_in + plain.work.bytes_out
        for capacity in (*needs, PLENTY):
            assert local_bytes(work.work, capacity) <= local_bytes(wide.work, capacity)
    if window == 0:
        assert saved(marked) == {}


@settings(deadline=None, max_examples=30)
@given(forward_graphs())
def test_names_do_not_matter(forward: OperatorGraph) -> None:
    graph = training_graph(forward)
    other = replace(
        graph,
        tensors=tuple(replace(t, name=f"t{len(graph.tensors) - i}") for i, t in enumerate(graph.tensors)),
        operators=tuple(replace(o, name=f"o{len(graph) - i}") for i, o in enumerate(graph.operators)),
    )
    assert [o.work for o in resident(graph).operators] == [o.work for o in resident(other).operators]
    assert resident(resident(graph, window=3)).works == resident(graph).works


@settings(deadline=None, max_examples=40)
@given(forward_graphs(), st.data())
def test_nothing_stays_across_a_stage_boundary(forward: OperatorGraph, data: st.DataObject) -> None:
    graph = fuse(training_graph(forward))
    count = len(graph.layers)
    boundaries = sorted(data.draw(st.sets(st.integers(1, count - 1), min_size=1)))
    whole = {o.name: local_bytes(o.work, PLENTY) for o in device_stage(graph, window=30).training.operators}
    for stage, plain in zip(cut(graph, boundaries, window=30), cut(graph, boundaries), strict=True):
        made = {t for o in stage.training.operators for t in o.outputs}
        names = {stage.training.tensors[t].name for t in made}
        elsewhere = {
            graph.tensors[t].name
            for o in graph.operators
            if not stage.layers[0] <= o.layer < stage.layers[1]
            for t in o.inputs
        }
        for operator, before in zip(stage.training.operators, plain.training.operators, strict=True):
            assert replace(operator.work, local=()) == before.work
            tensors = stage.training.tensors
            reads = sum(tensors[t].nbytes for t in set(operator.inputs) if tensors[t].name in names)
            writes = sum(tensors[t].nbytes for t in operator.outputs if tensors[t].name not in elsewhere)
            assert local_bytes(operator.work, PLENTY) <= reads + writes
            assert local_bytes(operator.work, PLENTY) <= whole.get(operator.name, 0)


def test_layers_that_repeat_stay_equal() -> None:
    def works(count: int) -> int:
        return len(resident(chain("gelu", *("relu", "tanh") * count)).works)

    assert works(6) == works(12) == 5  # the first two, relu and tanh among others, and the last


def test_complaints() -> None:
    graph = chain("gelu", "relu")
    with pytest.raises(InputError, match="allowed: 0 or more"):
        resident(graph, window=-1)
    marked = resident(training_graph(convnet()))
    assert any(w.local for w in marked.works)
    with pytest.raises(InputError, match="residency is marked already"):
        fuse(marked)
    with pytest.raises(InputError, match="residency is marked already"):
        cut(marked, ())
    with pytest.raises(InputError, match="residency is marked already"):
        training_graph(resident(convnet()))
    with pytest.raises(InputError, match="allowed: 0 or more"):
        device_stage(training_graph(convnet()), window=-1)


def test_thousands_of_operators_take_a_moment() -> None:
    graph = fuse(training_graph(forward_graph(load_model("bert-large"), batch=1, split="heads")))
    marked = resident(graph)
    assert WINDOW == 8
    assert len(marked.works) < 3 * len(graph.works)
