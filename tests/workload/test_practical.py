from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.workload import OperatorGraph, cut, device_stage, forward_graph, fuse, load_model, memory, training_graph
from accmine.workload.forward import layers
from accmine.workload.graph import GraphBuilder
from accmine.workload.residency import resident
from accmine.workload.training.training import parameter_gradients
from tests.samples.training_sample import convnet, forward_graphs, is_ordered


def nbytes(graph: OperatorGraph, *phases: str) -> int:
    return sum(o.work.bytes_in + o.work.bytes_out for o in graph.operators if o.phase in phases)


def members(graph: OperatorGraph) -> dict[str, str]:
    """Member -> the operator that it is in."""
    return {name: o.name for o in graph.operators for name in str(o.attribute("fused") or o.name).split(",")}


def check(graph: OperatorGraph) -> OperatorGraph:
    """The laws of the rule on one graph."""
    fused = fuse(graph)
    assert is_ordered(fused)
    assert fuse(fused) is fused
    assert fused.macs == graph.macs
    assert products(fused) == products(graph)
    for phases in (("forward",), ("backward",), ("forward", "backward"), ("update",)):
        assert nbytes(fused, *phases) <= nbytes(graph, *phases)
    assert elements(fused) == elements(graph)
    assert {t.name for t in fused.tensors} <= {t.name for t in graph.tensors}
    inside = members(fused)
    original = {o.name: o for o in graph.operators}
    found = {name.removesuffix(".statistics") for name in inside}
    assert found == set(original)
    place = {o.name: (o.phase, o.layer) for o in fused.operators}
    for name, group in inside.items():
        source = original[name.removesuffix(".statistics")]
        assert place[group] == (source.phase, source.layer)
    check_what_is_read(graph, fused)
    assert memory(fused).total_bytes <= memory(graph).total_bytes
    return fused


def products(graph: OperatorGraph) -> Counter[object]:
    return Counter((o.work.gemm, o.work.dtype) for o in graph.operators if o.work.gemm is not None)


def elements(graph: OperatorGraph) -> Counter[str]:
    """Elements of every vector kind; both halves of a batch norm have those of the whole."""
    count: Counter[str] = Counter()
    for operator in graph.operators:
        for part in operator.work.vector:
            if not part.kind.startswith("batch-norm-apply"):
                count[part.kind.replace("-statistics", "")] += part.elements
    return count


def check_what_is_read(graph: OperatorGraph, fused: OperatorGraph) -> None:
    """Who waited for a tensor before still waits for its writer, or stands in one operator with it."""
    inside = members(fused)
    at = {o.name: i for i, o in enumerate(fused.operators)}
    producer = graph.producer.tolist()
    written = {fused.tensors[t].name for o in fused.operators for t in o.outputs}
    for operator in graph.operators:
        for t in operator.inputs:
            if producer[t] < 0:
                continue
            maker = graph.operators[producer[t]]
            here, there = at[inside[operator.name]], at[inside[maker.name]]
            assert there <= here
            if there != here:
                assert graph.tensors[t].name in written
    updated = {graph.tensors[t].name for o in graph.operators if o.phase == "update" for t in o.outputs}
    assert updated <= written
    summed = [{g.tensors[new].name for o in g.operators for _, new in parameter_gradients(o)} for g in (graph, fused)]
    assert summed[0] == summed[1]


@settings(deadline=None, max_examples=80)
@given(forward_graphs(), st.sampled_from(("none", "full")), st.booleans(), st.booleans())
def test_laws_on_random_graphs(forward: OperatorGraph, recompute: str, train: bool, accumulate: bool) -> None:
    check(training_graph(forward, recompute=recompute, accumulate=accumulate) if train else forward)


@st.composite
def image_graphs(draw: st.DrawFn) -> OperatorGraph:
    """Random convolution networks with norms, skips, pools and concatenations over links of a chain."""
    b = GraphBuilder("images")
    b.layer("stem")
    alive = [layers.input_tensor(b, "images", (2, 4, 6, 6), "bf16")]
    count = 0

    def conv(x: int) -> int:
        nonlocal count
        count += 1
        channels = b.tensors[x].shape[1]
        weight = layers.parameter(b, f"conv{count}.weight", (4, channels, 3, 3), "bf16")
        bias = layers.parameter(b, f"conv{count}.bias", (4,), "bf16") if draw(st.booleans()) else None
        return layers.conv2d(b, f"conv{count}", x, weight, bias, padding=(1, 1))

    alive.append(conv(alive[0]))
    for step in range(draw(st.integers(1, 12))):
        if draw(st.integers(0, 4)) == 0:
            b.layer(f"link{step}")
        x, other = (draw(st.sampled_from(alive[-3:])) for _ in range(2))
        kind = draw(st.sampled_from(("conv", "norm", "norm", "relu", "relu", "hardswish", "add", "concat", "pool")))
        same = b.tensors[x].shape == b.tensors[other].shape
        if kind == "norm":
            alive.append(layers.norm(b, f"norm{step}", "batch-norm", x))
        elif kind in ("relu", "hardswish"):
            alive.append(layers.elementwise(b, f"{kind}{step}", kind, x))
        elif kind == "add" and same:
            alive.append(layers.add(b, f"add{step}", (x, other)))
        elif kind == "concat":
            alive.append(layers.concat(b, f"concat{step}", (x, other), 1))
        elif kind == "pool":
            alive.append(layers.pool(b, f"pool{step}", "max-pool", x, (3, 3), (1, 1), (1, 1)))
        else:
            alive.append(conv(x))
    b.layer("head")
    # Everything that nobody reads, and at least one, is brought to the loss.
    read = {t for o in b.operators for t in o.inputs}
    ends = [conv(t) for t in dict.fromkeys(alive[1:]) if t not in read]
    x = layers.add(b, "join", ends) if len(ends) > 1 else ends[0]
    x = layers.pool(b, "last", "avg-pool", x, (6, 6), (6, 6))
    layers.cross_entropy(b, "loss", x, layers.input_tensor(b, "labels", (2, 1, 1), "int32"), 4)
    return b.build()


@settings(deadline=None, max_examples=60)
@given(image_graphs(), st.sampled_from(("none", "full")), st.booleans())
def test_laws_on_random_networks_of_images(forward: OperatorGraph, recompute: str, accumulate: bool) -> None:
    check(training_graph(forward, recompute=recompute, accumulate=accumulate))


@pytest.mark.parametrize("recompute", ["none", "full"])
@pytest.mark.parametrize(
    "name", ["resnet-18", "bert-base", "opt-1.3b", "llama-2-7b", "mobilenet-v3-large", "inception-v3", "gnmt-4"]
)
def test_laws_on_the_zoo(name: str, recompute: str) -> None:
    graph = training_graph(forward_graph(load_model(name), batch=2, split="none"), recompute=recompute)
    fused = check(graph)
    assert nbytes(fused, "forward", "backward") < nbytes(fuse(graph, "elementwise"), "forward", "backward")


@settings(deadline=None, max_examples=25)
@given(forward_graphs(), st.data())
def test_stages_can_be_cut(forward: OperatorGraph, data: st.DataObject) -> None:
    graph = training_graph(forward)
    fused = fuse(graph)
    starts = range(1, len(graph.layers))
    boundaries = sorted(data.draw(st.sets(st.sampled_from(list(starts)), max_size=3))) if starts else []
    before, after = cut(graph, boundaries), cut(fused, boundaries)
    for one, other in zip(before, after, strict=True):
        assert other.training.macs == one.training.macs
        assert (other.sends_forward_bytes, other.sends_backward_bytes) == (
            one.sends_forward_bytes,
            one.sends_backward_bytes,
        )
        assert other.tied_bytes == one.tied_bytes
        assert is_ordered(other.training)
        first, second = memory(one.training), memory(other.training)
        assert (second.weights_bytes, second.gradients_bytes, second.optimizer_bytes) == (
            first.weights_bytes,
            first.gradients_bytes,
            first.optimizer_bytes,
        )
        assert second.stash_bytes_per_microbatch <= first.stash_bytes_per_microbatch


def test_residency_saves_no_more_than_there_is() -> None:
    graph = fuse(training_graph(convnet()))
    marked = resident(graph, window=8)
    assert any(o.work.local for o in marked.operators)
    for operator in marked.operators:
        assert sum(saved for _, saved in operator.work.local) <= operator.work.bytes_in + operator.work.bytes_out
    assert device_stage(graph, window=8).training.macs == graph.macs
    with pytest.raises(InputError, match="residency is marked"):
        fuse(marked)
