"""Types of the operands of products beside that of what is stored."""

from __future__ import annotations

import pytest

from accmine.workload import DtypePolicy, forward_graph, load_model, training_graph


@pytest.mark.parametrize("model", ["bert-base", "resnet-18"])
def test_tf32_is_the_type_of_all_products_and_of_nothing_that_is_stored(model: str) -> None:
    forward = forward_graph(load_model(model), batch=1, dtype="fp32")
    plain = training_graph(forward, policy=DtypePolicy(compute="fp32"))
    tf32 = training_graph(forward, policy=DtypePolicy(compute="fp32", operands="tf32"))
    assert tf32.tensors == plain.tensors
    assert tf32.macs == plain.macs > 0
    for own, other in zip(tf32.operators, plain.operators, strict=True):
        assert (own.name, own.inputs, own.outputs) == (other.name, other.inputs, other.outputs)
        assert own.work.dtype == ("tf32" if other.work.uses_tensor else other.work.dtype)
        assert (own.work.bytes_in, own.work.bytes_out) == (other.work.bytes_in, other.work.bytes_out)
