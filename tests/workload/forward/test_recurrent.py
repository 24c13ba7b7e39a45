from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.workload import OperatorGraph, forward_graph, load_model


def longest_chain(graph: OperatorGraph, kind: str) -> int:
    """Most operators of ``kind`` on one path."""
    length = [0] * len(graph)
    for index, operator in enumerate(graph.operators):
        length[index] += operator.kind == kind
        for _, after in graph.edges[graph.edges[:, 0] == index].tolist():
            length[after] = max(length[after], length[index])
    return max(length)


def test_gnmt_is_eight_lstm_layers_with_attention() -> None:
    graph = forward_graph(load_model("gnmt-4"), batch=2, sequence=5)
    assert graph.layers == (*(f"encoder{i}" for i in range(4)), *(f"decoder{i}" for i in range(4)), "head")
    kinds = [o.kind for o in graph.operators]
    assert kinds.count("lstm-cell") == 9 * 5
    assert kinds.count("softmax") == 1
    assert kinds.count("matmul") == 2
    reverse = [o.name for o in graph.operators if o.name.startswith("encoder0.reverse.") and o.kind == "lstm-cell"]
    assert reverse == [f"encoder0.reverse.{t}.cell" for t in (4, 3, 2, 1, 0)]


def test_time_steps_are_a_chain() -> None:
    graph = forward_graph(load_model("gnmt-4"), batch=1, sequence=5)
    # Layers wait for whole sequences: 4 encoder layers; the decoder's first needs no encoder output.
    assert longest_chain(graph, "lstm-cell") == (4 + 3) * 5


def test_parameters_are_the_closed_formula() -> None:
    h, v = 1024, 32000
    lstm = 8 * h * h + 8 * h  # input and recurrent weights of an equally wide input, and two biases
    wider = lstm + 4 * h * h  # twice as wide an input
    expected = (2 * lstm + wider + 2 * lstm) + (lstm + 3 * wider) + h * h + 2 * v * h + (h * v + v)
    assert load_model("gnmt-4").parameters == expected


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 12), st.integers(1, 4))
def test_macs_are_the_closed_formula(sequence: int, batch: int) -> None:
    h, v = 1024, 32000
    graph = forward_graph(load_model("gnmt-4"), batch=batch, sequence=sequence)
    products = 9 * 8 * h * h + 4 * 4 * h * h + h * h + h * v
    assert graph.macs == batch * (sequence * products + 2 * sequence * sequence * h)
    assert graph.parameters == load_model("gnmt-4").parameters


def test_own_numbers(tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text("family: gnmt\nencoder_layers: 2\ndecoder_layers: 2\nwidth: 8\nvocabulary: 20\n")
    model = load_model(file)
    assert model.sequence == 50
    graph = forward_graph(model, batch=1, sequence=3, dropout=False)
    assert graph.layers == ("encoder0", "encoder1", "decoder0", "decoder1", "head")
    text = file.read_text()
    for line, key in ((2, "encoder_layers"), (3, "decoder_layers")):
        file.write_text(text.replace(f"{key}: 2", f"{key}: 1"))
        with pytest.raises(InputError, match=rf"small\.yaml:{line}:17: {key}: at least 2 are needed"):
            load_model(file)


def test_samples_are_not_offered() -> None:
    with pytest.raises(InputError, match="split: attention of gnmt is one chain; allowed: fused, none, heads"):
        forward_graph(load_model("gnmt-4"), batch=1, split="samples")
