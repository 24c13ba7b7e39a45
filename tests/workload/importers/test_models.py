"""The zoo against published figures, and laws that hold for every forward graph."""

from __future__ import annotations

import re
import time
from math import prod
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.workload import (
    VECTOR_KINDS,
    ModelDescription,
    OperatorGraph,
    TransformerConfig,
    forward_graph,
    list_models,
    load_model,
)
from accmine.workload.kinds import TENSOR_KINDS

ZOO = [
    "bert-base",
    "bert-large",
    "deepseek-v2-lite",
    "efficientnet-b0",
    "gnmt-4",
    "gpt-3-175b",
    "gpt2-xl",
    "inception-v3",
    "llama-2-7b",
    "llama-3-70b",
    "llama-3-8b",
    "mixtral-8x7b",
    "mobilenet-v2",
    "mobilenet-v3-large",
    "mobilenet-v3-small",
    "opt-1.3b",
    "resnet-18",
    "resnet-34",
    "resnet-50",
    "resnext-101",
    "vgg-16",
]

PARAMETERS = {
    "resnet-18": 11_689_512,
    "resnet-50": 25_557_032,
    "mobilenet-v3-large": 5_483_032,
    "mobilenet-v3-small": 2_542_856,
    "mobilenet-v2": 3_504_872,
    "efficientnet-b0": 5_288_548,
    "resnet-34": 21_797_672,
    "inception-v3": 27_161_264,
    "resnext-101": 88_791_336,
    "vgg-16": 138_357_544,
    "bert-base": 109_482_240,
    "bert-large": 335_141_888,
    "gpt2-xl": 1_557_611_200,
    "opt-1.3b": 1_315_758_080,
    "llama-2-7b": 6_738_415_616,
    "llama-3-8b": 8_030_261_248,
    "llama-3-70b": 70_553_706_496,
    "deepseek-v2-lite": 15_706_484_224,
    "mixtral-8x7b": 46_702_792_704,
}
FORWARD_MACS = {
    "resnet-18": 1.814e9,
    "resnet-50": 4.09e9,
    "mobilenet-v3-large": 217e6,
    "mobilenet-v3-small": 56.5e6,
    "mobilenet-v2": 300e6,
    "efficientnet-b0": 386e6,
    "resnet-34": 3.66e9,
    "resnext-101": 16.4e9,
    "vgg-16": 15.5e9,
    "inception-v3": 5.7e9,
}
SMALL = ("bert-base", "gpt2-xl", "opt-1.3b", "llama-2-7b", "gnmt-4", "resnet-18", "mobilenet-v3-large")


def small_graph(model: ModelDescription, batch: int = 1, size: int = 8, split: str = "none") -> OperatorGraph:
    if model.kind == "image":
        pixels = 64 * max(1, size // 8) if model.name in SMALL else None
        return forward_graph(model, batch=batch, image=pixels, split=split)
    return forward_graph(model, batch=batch, sequence=size, split=split)


def test_zoo_names() -> None:
    assert list(list_models()) == ZOO


@pytest.mark.parametrize(("name", "parameters"), PARAMETERS.items())
def test_parameters_are_those_of_the_checkpoint(name: str, parameters: int) -> None:
    model = load_model(name)
    assert model.parameters == parameters
    assert dict(model.published)["parameters"] == parameters


def test_gpt3_parameters() -> None:
    model = load_model("gpt-3-175b")
    assert model.parameters == pytest.approx(174.6e9, rel=1e-3)
    assert model.head_parameters == 0


@pytest.mark.parametrize(("name", "macs"), FORWARD_MACS.items())
def test_forward_macs_are_the_published_ones(name: str, macs: float) -> None:
    model = load_model(name)
    graph = forward_graph(model, batch=1)
    # The published figure of Inception is without its side classifier, about 0.1 % of the whole.
    assert graph.macs == pytest.approx(macs, rel=0.01)
    assert dict(model.published)["forward_macs"] == pytest.approx(macs, rel=0.01)


@pytest.mark.parametrize("name", ["gpt2-xl", "opt-1.3b", "gpt-3-175b", "bert-large", "llama-2-7b"])
def test_transformer_macs_are_the_closed_formula(name: str) -> None:
    model = load_model(name)
    config, s, b = model.config, 128, 3
    assert isinstance(config, TransformerConfig)
    graph = forward_graph(model, batch=b, sequence=s, split="none")
    h, v = config.width, config.vocabulary
    mlp = (3 if config.gated else 2) * h * config.mlp_width
    head = s * h * v
    if name == "bert-large":
        head += s * h * h + h * h + 2 * h
    assert graph.macs == b * (config.layers * (s * (4 * h * h + mlp) + 2 * s * s * h) + head)
    assert config.gated or 4 * h * h + mlp == 12 * h * h


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize("split", ["none", "heads"])
def test_graph_is_well_formed(name: str, split: str) -> None:
    graph = small_graph(load_model(name), batch=2, split=split)
    written: set[int] = set()
    previous = 0
    for operator in graph.operators:
        for tensor in operator.inputs:
            outside = graph.tensors[tensor].role in ("input", "constant", "parameter")
            assert outside != (tensor in written), f"{operator.name} reads {graph.tensors[tensor].name}"
        assert not written & set(operator.outputs)
        written |= set(operator.outputs)
        assert previous <= operator.layer < len(graph.layers)
        previous = operator.layer
        assert operator.phase == "forward"
        assert operator.work.bytes_in > 0
        assert operator.work.bytes_out > 0
        assert (operator.work.gemm is not None) == (operator.kind in TENSOR_KINDS)
        assert bool(operator.work.vector) == (operator.kind in VECTOR_KINDS)
    assert {operator.layer for operator in graph.operators} == set(range(len(graph.layers)))
    assert len(set(graph.layers)) == len(graph.layers)
    used = {tensor for operator in graph.operators for tensor in (*operator.inputs, *operator.outputs)}
    assert used == set(range(len(graph.tensors)))
    names = [tensor.name for tensor in graph.tensors]
    assert len(set(names)) == len(names)
    assert graph.operators[-1].kind == "cross-entropy"


@pytest.mark.parametrize("name", ["bert-base", "gpt2-xl", "llama-2-7b", "gnmt-4", "resnet-18", "inception-v3"])
def test_products_fit_their_tensors(name: str) -> None:
    graph = small_graph(load_model(name), batch=2, split="none")
    for operator in graph.operators:
        gemm = operator.work.gemm
        if gemm is None:
            continue
        written = sum(graph.tensors[t].elements for t in operator.outputs)
        assert gemm.c_elements == written == gemm.batch * gemm.m * gemm.n
        if operator.kind == "linear":
            split_at = operator.attribute("inputs_x")
            assert isinstance(split_at, int)
            read = sum(graph.tensors[t].elements for t in operator.inputs[:split_at])
            assert graph.tensors[operator.inputs[split_at]].elements == gemm.k * gemm.n
            assert operator.name == "pooler" or read == gemm.m * gemm.k


@settings(max_examples=25, deadline=None)
@given(name=st.sampled_from(SMALL), batch=st.integers(2, 5))
def test_macs_scale_with_batch(name: str, batch: int) -> None:
    model = load_model(name)
    assert small_graph(model, batch).macs == batch * small_graph(model).macs


@settings(max_examples=20, deadline=None)
@given(
    name=st.sampled_from([n for n in SMALL if n != "gnmt-4"]),
    split=st.sampled_from(["heads", "samples"]),
    batch=st.integers(1, 3),
    size=st.integers(1, 16),
)
def test_split_and_sizes_change_neither_macs_nor_parameters(name: str, split: str, batch: int, size: int) -> None:
    model = load_model(name)
    whole, parts = small_graph(model, batch, size), small_graph(model, batch, size, split)
    assert whole.macs == parts.macs
    assert whole.parameters == parts.parameters == model.parameters + model.head_parameters
    vector = [sum(v.elements for o in g.operators for v in o.work.vector) for g in (whole, parts)]
    assert vector[0] == vector[1]


def test_parameters_do_not_depend_on_the_image() -> None:
    model = load_model("vgg-16")
    for image in (224, 256, 300):
        assert forward_graph(model, batch=1, image=image).parameters == model.parameters


def test_user_transformer(tmp_path: Path) -> None:
    file = tmp_path / "tiny.yaml"
    file.write_text("family: gpt2\nlayers: 2\nwidth: 64\nheads: 4\nvocabulary: 100\npositions: 32\n")
    model = load_model(file)
    assert model.name == "tiny"
    assert model.sequence == 32
    assert model.parameters == 100 * 64 + 32 * 64 + 2 * (12 * 64 * 64 + 13 * 64) + 2 * 64
    assert load_model(str(file)) == model


def test_user_layers(tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    file.write_text(
        "image: 16\nchannels: 1\nlayers:\n- conv: {out: 4, kernel: 3, padding: same}\n- relu\n"
        "- residual: {body: [conv: {out: 4, kernel: 1}]}\n- linear: {out: 10}\n"
    )
    model = load_model(file)
    assert model.family == "convnet"
    assert model.parameters == (9 * 4 + 4) + (16 + 4) + (4 * 256 * 10 + 10)
    assert forward_graph(model, batch=2).macs == 2 * 256 * (36 + 16 + 40)


def complaints_of(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "model.yaml"
    file.write_text(text)
    with pytest.raises(InputError) as error:
        load_model(file)
    return [str(c).removeprefix(str(file)) for c in error.value.complaints]


def test_every_complaint_at_once_with_its_position(tmp_path: Path) -> None:
    text = "family: gpt2\nlayers: 0\nwidth: 64\nheads: four\nvocabulary: 100\npositions: 32\nwidht: 3\n"
    found = complaints_of(tmp_path, text)
    assert found[0] == ":2:9: layers: must be greater than or equal to 1, got 0"
    assert found[1] == ":4:8: heads: must be a whole number, got 'four'"
    assert found[2].startswith(":7:1: widht: unknown key 'widht'; did you mean 'width'? allowed: ")
    assert len(found) == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("layers: 3\n", ":1:1: family: is required: one of bert, gpt2, opt, llama, gnmt, convnet"),
        ("family: rnn\n", ":1:9: family: must be one of bert, gpt2, opt, llama, gnmt, convnet, got 'rnn'"),
        ("family: bert\nimage: 3\n", ":2:1: image: unknown key 'image'; allowed: "),
        ("family: convnet\nlayers: [relu]\n", ":1:1: image: is required"),
        ("family: convnet\nimage: 3\n", ":1:1: layers: must be a list of layers, got None"),
        ("image: 8\nsequence: 3\nlayers: [relu]\n", ":2:1: sequence: unknown key 'sequence'; allowed: "),
        ("image: 8\nlayers: [relu: {x: 1}]\nchannels: 0\n", ":2:17: layers.0.relu.x: unknown key 'x'; allowed: "),
        ("image: 8\nlayers: [relu: {x: 1}]\nchannels: 0\n", ":3:11: channels: must be greater than or equal to 1"),
        ("- a\n- b\n", ":1:1: must be a mapping of keys to values"),
        ("", ": must be a mapping of keys to values"),
        ("family: gpt2\npublished: {params: 3}\n", ":2:13: published.params: unknown key 'params'; did you mean"),
        ("family: gpt2\nfamily: bert\n", ":2:1: family: duplicate key 'family', first given on line 1"),
        ("family: gpt2\nsource: 2026\n", ":2:9: source: must be text, got 2026"),
        ("family: gpt2\nx: " + "[" * 200 + "]" * 200, ":2:103: nested too deeply; allowed: 100 levels"),
        ("family: gnmt\nencoder_layers: 1\ndecoder_layers: 2\nwidth: 8\nvocabulary: 9\n", ":2:17: encoder_layers: at"),
    ],
)
def test_complaints(tmp_path: Path, text: str, expected: str) -> None:
    assert any(line.startswith(expected) for line in complaints_of(tmp_path, text)), complaints_of(tmp_path, text)


def test_sequence_longer_than_positions(tmp_path: Path) -> None:
    text = "family: gpt2\nlayers: 1\nwidth: 8\nheads: 2\nvocabulary: 10\npositions: 32\nsequence: 33\n"
    assert complaints_of(tmp_path, text) == [
        ":7:11: sequence: 33 tokens are more than the 32 learned positions; allowed: at most these"
    ]
    with pytest.raises(InputError, match="1024 learned positions"):
        forward_graph(load_model("gpt2-xl"), batch=1, sequence=1025)
    rotary = forward_graph(load_model("llama-2-7b"), batch=1, sequence=4097, split="none")
    assert rotary.tensors[0].shape == (32000, 4096)


def test_unknown_model_and_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'resnet-50'"):
        load_model("resnet50")
    with pytest.raises(InputError, match=r"nowhere\.yaml: no such file"):
        load_model(tmp_path / "nowhere.yaml")


TOO_LARGE = "family: gpt2\nlayers: 2\nwidth: 64\nheads: 2\nvocabulary: 100\npositions: 16\n"
LARGE_LAYERS = "image: 8\nlayers:\n  - conv: {out: 8, kernel: 3}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            TOO_LARGE.replace("100", "9" * 20),
            f":5:13: vocabulary: must be less than or equal to 2147483647, got {'9' * 20}",
        ),
        (
            TOO_LARGE.replace("layers: 2", "layers: 100000000"),
            ":2:9: layers: 100000000 layers are 1,700,000,007 operators; allowed: at most 500,000, of 29411 layers",
        ),
        (TOO_LARGE.replace("64", "2147483646"), ":3:8: width: tensors up to layer0.attention.qkv.weight [2147483646, "),
        (
            TOO_LARGE.replace("16", "2147483647") + "sequence: 2000000000\n",
            ":7:11: sequence: tensors up to causal-mask [2000000000, 2000000000] take ",
        ),
        (
            "family: gnmt\nencoder_layers: 2\ndecoder_layers: 900000\nwidth: 8\nvocabulary: 9\n",
            ":3:17: decoder_layers: 900000 makes a graph of ",
        ),
        (
            "family: gnmt\nencoder_layers: 2\ndecoder_layers: 2\nwidth: 8\nvocabulary: 9\nsequence: 1000000\n",
            ":6:11: sequence: 1000000 makes a graph of 15,000,026 operators; allowed: at most 500,000",
        ),
        (
            "family: gnmt\nencoder_layers: 2\ndecoder_layers: 2\nwidth: 2147483647\nvocabulary: 9\n",
            ":4:8: width: tensors up to encoder0.forward.input.weight",
        ),
        (LARGE_LAYERS.replace("out: 8, kernel: 3", "out: 8, kernel: 1, repeat: 1000000000"), ":3:5: layers.0: 1,000,"),
        (LARGE_LAYERS.replace("image: 8", "image: 2147483647"), ":1:8: image: tensors up to images [1, 3, 2147483647,"),
        (
            LARGE_LAYERS.replace("kernel: 3", "kernel: 3000000, padding: 1500000").replace("out: 8", "out: 2000000000"),
            ":3:11: layers.0.conv: tensors up to conv0.conv0.weight [2000000000, 3, 3000000, 3000000] take ",
        ),
        (
            LARGE_LAYERS + "  - linear: {out: 2147483647}\n  - linear: {out: 2147483647}\n",
            ":5:13: layers.2.linear: tensor",
        ),
    ],
)
def test_sizes_are_refused_before_anything_is_built(tmp_path: Path, text: str, expected: str) -> None:
    start = time.process_time()
    (found,) = complaints_of(tmp_path, text)
    assert time.process_time() - start < 20  # building them would take minutes, or all memory
    assert found.startswith(expected)
    assert "allowed: " in found or "less than" in found


def test_the_most_layers_that_a_complaint_allows_are_allowed(tmp_path: Path) -> None:
    file = tmp_path / "model.yaml"
    file.write_text(TOO_LARGE.replace("layers: 2", "layers: 29411"))
    assert load_model(file).family == "gpt2"
    assert complaints_of(tmp_path, TOO_LARGE.replace("layers: 2", "layers: 29412"))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "gpt3.json",
            '{"hidden": 12288, "feedforward": 49152, "seq_size": 2048, "attn_heads": 96, "num_blocks": 96}',
            "family: is required: one of bert, gpt2, opt, llama, gnmt, convnet; this looks like a model of Calculon",
        ),
        (
            "params.json",
            '{"dim": 4096, "n_layers": 32, "n_heads": 32, "vocab_size": 128256, "rope_theta": 500000.0}',
            "convnet; this looks like Meta's params.json of a Llama",
        ),
        (
            "p.yaml",
            "problem:\n  instance: {C: 64}\n",
            "convnet; this looks like a problem, an architecture or a mapping of T",
        ),
        (
            "topo.csv",
            "Layer name, IFMAP Height, IFMAP Width, Filter Height\nConv1, 224, 224, 7,\n",
            ":1:1: must be a mapping of keys to values; this looks like a topology of SCALE-Sim (a table of layers)",
        ),
    ],
)
def test_files_of_others_are_named(tmp_path: Path, name: str, text: str, expected: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as error:
        load_model(tmp_path / name)
    assert expected in str(error.value)


def test_aliases_that_multiply_are_refused_at_once(tmp_path: Path) -> None:
    lists = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lists += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    start = time.process_time()
    (found,) = complaints_of(tmp_path, TOO_LARGE + "\n".join(lists))
    assert time.process_time() - start < 20  # building them would take minutes, or all memory
    assert re.match(r":\d+:\d+: ", found)


def test_bytes_are_those_of_the_tensors() -> None:
    graph = small_graph(load_model("gpt2-xl"))
    for operator in graph.operators:
        written = sum(graph.tensors[t].nbytes for t in operator.outputs)
        assert operator.work.bytes_out == written
        if operator.kind == "embedding":
            rows = prod(graph.tensors[operator.outputs[0]].shape)
            assert operator.work.bytes_in == 2 * rows + 4 * 8
        else:
            assert operator.work.bytes_in == sum(graph.tensors[t].nbytes for t in set(operator.inputs))
