from __future__ import annotations

from accmine.workload import OperatorGraph
from accmine.workload.forward import layers
from accmine.workload.graph import GraphBuilder
from accmine.workload.training.tape import DtypePolicy, Tape


def two_readers() -> OperatorGraph:
    """x -> relu -> two linear layers of the next layer of the chain."""
    b = GraphBuilder("g")
    b.layer("first")
    weight = layers.parameter(b, "w", (4, 4), "bf16")
    x = layers.linear(b, "in", [layers.input_tensor(b, "x", (2, 4), "bf16")], weight, None, [(2, 4)], m=2)[0]
    y = layers.elementwise(b, "relu", "relu", x)
    b.layer("second")
    for name in ("left", "right"):
        layers.linear(b, name, [y], layers.parameter(b, f"{name}.w", (4, 4), "bf16"), None, [(2, 4)], m=2)
    return b.build()


def tape(recompute: str = "none", accumulate: bool = True) -> Tape:
    return Tape(two_readers(), DtypePolicy(), accumulate, recompute)


def names(found: Tape) -> list[str]:
    return [o.name for o in found.builder.operators[len(found.forward) :]]


def test_data_needs_no_gradient_and_parameters_do() -> None:
    found = tape()
    by_name = {t.name: found.needed[i] for i, t in enumerate(found.forward.tensors)}
    assert [by_name[name] for name in ("w", "x", "in.y", "relu.y", "left.y")] == [True, False, True, True, True]
    assert found.wanted([0, 1, 0]) == [0]


def test_contributions_of_one_layer_are_summed_when_they_are_asked_for() -> None:
    found = tape()
    relu = found.forward.operators[1]
    (y,) = relu.outputs
    assert found.gradients(relu) == []
    for name in ("a", "b", "c"):
        found.contribute(y, found.builder.tensor(name, (2, 4), role="gradient"), 1)
    assert names(found) == []
    (gradient,) = found.gradients(relu)
    assert names(found) == ["relu.y.grad-sum@second"]
    summed = found.builder.operators[-1]
    assert summed.outputs == (gradient,)
    assert len(summed.inputs) == 3
    assert [v.elements for v in summed.work.vector] == [8, 8]


def test_what_is_written_and_added_to() -> None:
    for accumulate in (True, False):
        found = tape(accumulate=accumulate)
        left = found.forward.operators[2]
        weight = left.inputs[1]
        given = found.builder.tensor("given", (2, 4), role="gradient")
        found.emit(left, "dw", "linear-weight-gradient", [left.inputs[0], given], [weight], gemm=(4, 2, 4, 1))
        operator = found.builder.operators[-1]
        assert (operator.name, operator.phase, operator.layer) == ("left.dw", "backward", 1)
        assert operator.attribute("forward") == "left"
        written = found.builder.tensors[operator.outputs[0]]
        assert (written.shape, written.role, written.dtype) == ((4, 4), "gradient", DtypePolicy().gradient)
        assert len(operator.inputs) == (3 if accumulate else 2)
        assert operator.attribute("running_gradients") == ((2,) if accumulate else (-1,))
        assert found.running[weight] == operator.outputs[0]


def test_a_layer_is_run_again_once_a_gradient_reaches_it() -> None:
    found = tape(recompute="full")
    linear, relu = found.forward.operators[:2]
    inside = linear.outputs[0]
    assert found.inside(relu, inside)
    assert not found.inside(relu, relu.outputs[0])  # the next layer reads it
    left = found.forward.operators[2]
    given = found.builder.tensor("given", (2, 4), role="gradient")
    found.emit(left, "dx", "linear-input-gradient", [given, left.inputs[1]], [left.inputs[0]], gemm=(2, 4, 4, 1))
    found.enter(relu, lambda operator: operator.inputs)
    found.enter(linear, lambda operator: operator.inputs)
    assert names(found) == ["left.dx", "in.re", "relu.re"]
    copy = found.read(relu, inside)
    assert found.builder.tensors[copy].name == "in.y.re"
    assert found.builder.after == [(len(found.forward), len(found.forward) + 1)]
    assert tape().read(relu, inside) == inside


def exchanging() -> OperatorGraph:
    """x -> gather -> linear -> reduce-scatter, as on one of two devices of a group."""
    b = GraphBuilder("g")
    b.layer("only")
    x = layers.parameter(b, "x", (2, 4), "bf16")
    y = layers.exchange(b, "gather", "all-gather", x, (4, 4))
    y = layers.linear(b, "in", [y], layers.parameter(b, "w", (4, 4), "bf16"), None, [(4, 4)], m=4)[0]
    layers.exchange(b, "scatter", "reduce-scatter", y, (2, 4))
    return b.build()


def test_what_was_gathered_is_gathered_again_once() -> None:
    found = Tape(exchanging(), DtypePolicy(), True, "none")
    gather, linear, _ = found.forward.operators
    again = {found.read(linear, gather.outputs[0]) for _ in range(2)}
    assert names(found) == ["gather.again"]
    operator = found.builder.operators[-1]
    assert (operator.kind, operator.phase, operator.inputs, {*operator.outputs}) == (
        "all-gather",
        "backward",
        gather.inputs,
        again,
    )
    assert (operator.work.bytes_in, operator.work.bytes_out, operator.attribute("group")) == (0, 0, "tensor")
