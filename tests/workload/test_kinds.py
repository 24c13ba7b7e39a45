from __future__ import annotations

import ast
from pathlib import Path

from accmine.cost import VECTOR_TABLE
from accmine.workload import VECTOR_KINDS, forward, forward_graph, list_models, load_model, training_graph
from accmine.workload.kinds import ATTENTION_KINDS, EXCHANGE_KINDS, TENSOR_KINDS, UPDATE_KINDS
from accmine.workload.training.optimizers import OPTIMIZERS


def test_names_are_unique_and_of_one_engine() -> None:
    assert len(set(VECTOR_KINDS)) == len(VECTOR_KINDS)
    assert not {*TENSOR_KINDS, *ATTENTION_KINDS} & set(VECTOR_KINDS)
    assert {f"{name}-update" for name in OPTIMIZERS} == set(UPDATE_KINDS) <= set(VECTOR_KINDS)


def test_every_vector_kind_has_a_cost() -> None:
    assert set(VECTOR_KINDS) == set(VECTOR_TABLE)


def test_every_operator_of_a_training_step_has_a_known_kind() -> None:
    gradients = {f"{kind}-{end}-gradient" for kind in TENSOR_KINDS for end in ("input", "weight")}
    for name in set(list_models()) - {"gpt-3-175b"}:
        model = load_model(name)
        sequence = None if model.kind == "image" else 4
        for split in ("none", "fused"):
            for operator in training_graph(forward_graph(model, batch=1, sequence=sequence, split=split)).operators:
                assert operator.kind in {*TENSOR_KINDS, *VECTOR_KINDS, *ATTENTION_KINDS, *gradients}
                assert (operator.kind in ATTENTION_KINDS) == (operator.work.attention is not None)
                assert {part.kind for part in operator.work.vector} <= set(VECTOR_KINDS)


def test_no_forward_operator_has_an_unknown_kind() -> None:
    written = set()
    for path in Path(forward.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "operator" and len(node.args) > 1:
                kind = node.args[1]
                written |= {kind.value} if isinstance(kind, ast.Constant) else set()
    assert written
    assert written <= {*TENSOR_KINDS, *VECTOR_KINDS, *ATTENTION_KINDS, *EXCHANGE_KINDS}
