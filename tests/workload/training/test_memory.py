from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings

from accmine.errors import InputError
from accmine.workload import (
    DtypePolicy,
    Memory,
    OperatorGraph,
    TransformerConfig,
    forward_graph,
    fuse,
    load_model,
    memory,
    training_graph,
)
from accmine.workload.forward import layers
from accmine.workload.graph import GraphBuilder
from accmine.workload.training.memory import stashed
from tests.samples.training_sample import convnet, forward_graphs


def sample() -> OperatorGraph:
    """linear 6x4 -> 6x8, gelu, linear -> 6x3, loss."""
    b = GraphBuilder("sample")
    b.layer("only")
    x = layers.input_tensor(b, "x", (6, 4), "bf16")
    y = layers.linear(b, "up", [x], layers.parameter(b, "w1", (4, 8), "bf16"), None, [(6, 8)], m=6)[0]
    y = layers.elementwise(b, "gelu", "gelu", y)
    y = layers.linear(b, "down", [y], layers.parameter(b, "w2", (8, 3), "bf16"), None, [(6, 3)], m=6)[0]
    layers.cross_entropy(b, "loss", y, layers.input_tensor(b, "labels", (6,), "int32"), 3)
    return b.build()


def test_by_hand() -> None:
    found = memory(training_graph(sample()), in_flight=3)
    parameters = 4 * 8 + 8 * 3
    stash = 2 * (6 * 4 + 6 * 8 + 6 * 8 + 6 * 3) + 4 * 6  # x, both sides of the gelu, probabilities; labels
    # At the backward of the gelu its incoming and outgoing gradients are alive (192 bytes); elsewhere less.
    assert found == Memory(2 * parameters, 4 * parameters, 12 * parameters, stash, 3, 2 * 2 * 6 * 8)
    assert found.total_bytes == 18 * parameters + 3 * stash + 192


@pytest.mark.parametrize(("optimizer", "size"), [("adam", 18), ("sgd", 14)])
def test_bytes_per_parameter(optimizer: str, size: int) -> None:
    forward = forward_graph(load_model("resnet-18"), batch=1)
    found = memory(training_graph(forward, optimizer=optimizer))
    held = found.weights_bytes + found.gradients_bytes + found.optimizer_bytes
    assert held == size * 11_689_512
    policy = DtypePolicy(gradient="bf16")
    found = memory(training_graph(forward, optimizer=optimizer, policy=policy))
    assert found.gradients_bytes == 2 * 11_689_512


def stash_by_layer(graph: OperatorGraph) -> Counter[int]:
    """Bytes that the operators of each layer leave for the backward pass."""
    producer = graph.producer.tolist()
    found: Counter[int] = Counter()
    for t in stashed(graph):
        if producer[t] >= 0:
            found[graph.operators[producer[t]].layer] += graph.tensors[t].nbytes
    return found


@pytest.mark.parametrize(
    ("name", "batch", "sequence", "split", "h", "a"),
    [
        ("bert-large", 4, 512, "heads", 1024, 16),
        ("bert-large", 2, 128, "samples", 1024, 16),
        ("gpt2-xl", 1, 1024, "heads", 1600, 25),
        ("gpt2-xl", 2, 1024, "none", 1600, 25),
        ("gpt-3-175b", 1, 2048, "none", 12288, 96),
    ],
)
def test_stash_of_a_transformer_layer(name: str, batch: int, sequence: int, split: str, h: int, a: int) -> None:
    # Korthikanti et al., arXiv:2205.05198, equation 2: sbh (34 + 5 a s / h) bytes.
    forward = forward_graph(load_model(name), batch=batch, sequence=sequence, split=split)
    expected = sequence * batch * h * (34 + 5 * a * sequence / h)
    graph = training_graph(forward)
    for g in (graph, fuse(graph)):
        found = stash_by_layer(g)
        for layer in range(1, len(g.layers) - 1):
            assert found[layer] == pytest.approx(expected, rel=0.02)
    full = stash_by_layer(training_graph(forward, recompute="full"))
    for layer in range(1, len(graph.layers) - 1):
        assert full[layer] == 2 * sequence * batch * h


def test_recomputation_trades_stash_for_working_set() -> None:
    forward = forward_graph(load_model("bert-base"), batch=2, sequence=128)
    none, full = (memory(training_graph(forward, recompute=mode)) for mode in ("none", "full"))
    assert full.stash_bytes_per_microbatch < 0.3 * none.stash_bytes_per_microbatch
    inner = 2 * 128 * 768 * (34 + 5 * 12 * 128 / 768)
    assert full.working_set_bytes >= inner  # the activations of one layer live in its backward pass
    assert full.total_bytes < none.total_bytes


@settings(deadline=None, max_examples=60)
@given(forward_graphs())
def test_laws_on_random_graphs(forward: OperatorGraph) -> None:
    plain = training_graph(forward)
    one, two = memory(plain), memory(plain, in_flight=2)
    assert two.total_bytes - one.total_bytes == one.stash_bytes_per_microbatch
    assert one.weights_bytes == 2 * forward.parameters
    fused = memory(fuse(plain))
    assert fused.stash_bytes_per_microbatch == one.stash_bytes_per_microbatch
    assert fused.weights_bytes + fused.gradients_bytes + fused.optimizer_bytes == 18 * forward.parameters
    # Nothing alive is missed: no operator can read or write more than is held.
    largest = max(
        sum(plain.tensors[t].nbytes for t in {*o.inputs, *o.outputs} if plain.tensors[t].role == "activation")
        for o in plain.operators
    )
    assert one.stash_bytes_per_microbatch + one.working_set_bytes >= largest


def test_stash_of_convolutions_is_their_input() -> None:
    graph = training_graph(convnet())
    names = {graph.tensors[t].name for t in stashed(graph)}
    assert {"image", "stem.y", "stem.relu.y", "stem.pool.indices", "block.depthwise.y", "labels"} <= names
    assert not {"block.project.y", "head.y", "block.add.y", "stem.pool.mask"} & names


def test_no_microbatch_in_flight() -> None:
    with pytest.raises(InputError, match="at least 1"):
        memory(training_graph(sample()), in_flight=0)


def per_layer(name: str, batch: int, sequence: int, split: str, fusion: str = "elementwise") -> tuple[int, float]:
    """Bytes that one more layer of a model keeps for its backward, and s·b·h."""
    model = load_model(name)
    config = model.config
    assert isinstance(config, TransformerConfig)
    stash = []
    for count in (1, 2):
        small = replace(model, config=config.model_copy(update={"layers": count}))
        forward = forward_graph(small, batch=batch, sequence=sequence, split=split)
        stash.append(memory(fuse(training_graph(forward), fusion)).stash_bytes_per_microbatch)
    return stash[1] - stash[0], sequence * batch * config.width


@pytest.mark.parametrize("fusion", ["elementwise", "none"])
@pytest.mark.parametrize(
    ("name", "batch", "sequence"),
    [("bert-base", 8, 512), ("bert-large", 4, 512), ("bert-large", 2, 64), ("gpt2-xl", 1, 1024), ("gpt2-xl", 3, 256)],
)
def test_activations_of_a_layer_are_those_of_the_published_formula(
    name: str, batch: int, sequence: int, fusion: str
) -> None:
    """34 s·b·h + 5 a·s²·b (Korthikanti et al. 2022; a mask has one byte an element); fused drops the second term."""
    heads = {"bert-base": 12, "bert-large": 16, "gpt2-xl": 25}[name]
    stored, sbh = per_layer(name, batch, sequence, "none", fusion)
    assert stored == 34 * sbh + 5 * heads * sequence**2 * batch
    kept, _ = per_layer(name, batch, sequence, "fused", fusion)
    assert kept == 34 * sbh + 4 * heads * sequence * batch  # a log-sum-exp of each row
    assert 34 * sbh < kept < 1.003 * 34 * sbh


def test_memory_of_fused_attention_grows_with_the_sequence() -> None:
    """A layer of Llama 2 without dropout: 16 s·b·h + 8 s·b·(mlp width) and a log-sum-exp, no square of the sequence."""
    config = load_model("llama-2-7b").config
    assert isinstance(config, TransformerConfig)
    for sequence in (1024, 2048, 4096):
        kept, sbh = per_layer("llama-2-7b", 2, sequence, "fused")
        assert kept == 16 * sbh + 8 * sequence * 2 * config.mlp_width + 4 * config.heads * sequence * 2
    assert kept == pytest.approx(1200 * 2**20, rel=0.003)


@pytest.mark.parametrize("recompute", ["none", "selective", "full"])
def test_a_causal_mask_is_there_once(recompute: str) -> None:
    """It is the same for all microbatches: not kept with each of those in flight."""
    forward = forward_graph(load_model("gpt2-xl"), batch=1, sequence=1024, split="none")
    graph = training_graph(forward, recompute=recompute)
    assert not [graph.tensors[t].name for t in stashed(graph) if graph.tensors[t].name == "causal-mask"]
    assert [t.nbytes for t in graph.tensors if t.role == "constant"] == [1024 * 1024]
    one, two = memory(graph), memory(graph, in_flight=2)
    assert one.working_set_bytes == two.working_set_bytes > 1024 * 1024
    assert two.total_bytes - one.total_bytes == one.stash_bytes_per_microbatch


def test_a_part_of_the_parameters() -> None:
    graph = training_graph(sample())
    one, other, both = memory(graph, part="w1"), memory(graph, part="w2"), memory(graph)
    assert one.weights_bytes == 2 * 4 * 8
    for key in ("weights_bytes", "gradients_bytes", "optimizer_bytes"):
        assert getattr(one, key) + getattr(other, key) == getattr(both, key)
