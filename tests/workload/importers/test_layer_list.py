from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.files import load_yaml
from accmine.workload.forward.convnet import ConvnetConfig, convnet_graph
from accmine.workload.importers.layer_list import LayerSpec, read_layers


def read(text: str) -> tuple[LayerSpec, ...]:
    return read_layers(load_yaml(text=text, name="f.yaml"))


def complaints_of(text: str) -> list[str]:
    with pytest.raises(InputError) as error:
        read(text)
    return [str(c) for c in error.value.complaints]


def test_names_and_options() -> None:
    specs = read("layers: [conv: {out: 4, kernel: [1, 7], padding: same}, relu, {relu: {repeat: 2}}]")
    assert [spec.kind for spec in specs] == ["conv", "relu", "relu", "relu"]
    assert specs[0].option("kernel") == (1, 7)
    assert specs[0].option("padding") == "same"
    assert specs[0].option("stride") == 1
    assert (specs[0].where, specs[0].field) == ("f.yaml:1:16", "layers.0.conv")


def test_geometry_of_a_convolution() -> None:
    specs = read(
        "layers: [conv: {out: 4, kernel: 3, dilation: [2, 1], padding: [0, 1, 2, 3], stride: [1, 2], groups: 2}]"
    )
    found = dict(specs[0].options)
    assert (found["dilation"], found["padding"], found["stride"]) == ((2, 1), (0, 1, 2, 3), (1, 2))


def test_blocks_with_parameters() -> None:
    text = """
    blocks:
      inner: {parameters: {out: required, act: relu}, layers: [conv: {out: $out, kernel: 1}, $act]}
      outer: {parameters: {n: 2}, layers: [inner: {out: 8, act: gelu, repeat: $n}, {dropout: {rate: 0.1, if: false}}]}
    layers: [outer: {n: 3}, outer]
    """
    specs = read(text)
    assert [spec.label for spec in specs] == ["outer", "outer"]
    assert [len(spec.parts[0]) for spec in specs] == [3, 2]
    inner = specs[0].parts[0][0]
    assert [spec.kind for spec in inner.parts[0]] == ["conv", "gelu"]
    assert inner.parts[0][0].option("out") == 8


def test_nested_layers() -> None:
    text = """
    layers:
      - residual: {body: [relu], shortcut: [gelu, relu]}
      - residual: {body: [relu]}
      - branches: [[relu], [gelu, tanh]]
      - auxiliary: {layers: [linear: {out: 3}], weight: 0.4}
    """
    specs = read(text)
    assert [len(part) for part in specs[0].parts] == [1, 2]
    assert [spec.option("shortcut") for spec in specs[:2]] == ["layers", "identity"]
    assert [len(part) for part in specs[2].parts] == [1, 2]
    assert specs[3].option("weight") == 0.4


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("layers: [cov]", "f.yaml:1:10: layers.0: unknown layer 'cov'; did you mean 'conv'? allowed: conv, linear,"),
        ("layers: [conv-transpose: {out: 8, kernel: 3}]", "f.yaml:1:10: layers.0: unknown layer 'conv-transpose'; al"),
        ("layers: 3", "f.yaml:1:9: layers: must be a list of layers, got 3"),
        ("layers: []", "f.yaml:1:9: layers: must be a list of layers, got []"),
        ("image: 3", "f.yaml:1:1: layers: must be a list of layers, got None"),
        ("layers: [conv: {kernel: 3}]", "f.yaml:1:16: layers.0.conv.out: is required"),
        ("layers: [conv: {out: 3, kernel: 0}]", "f.yaml:1:33: layers.0.conv.kernel: must be a whole number or [height"),
        (
            "layers: [conv: {out: 3, kernel: 3000000000}]",
            "f.yaml:1:33: layers.0.conv.kernel: must be a whole number or",
        ),
        ("layers: [conv: {out: 3000000000, kernel: 3}]", "f.yaml:1:22: layers.0.conv.out: must be less than or equal"),
        ("layers: [conv: {out: true, kernel: 1}]", "f.yaml:1:22: layers.0.conv.out: must be a whole number, got True"),
        ("layers: [conv: {out: 3, kernel: 1, dilation: 0}]", "f.yaml:1:46: layers.0.conv.dilation: must be a whole nu"),
        ("layers: [conv: {out: 3, kernel: 1, bias: 1}]", "f.yaml:1:42: layers.0.conv.bias: must be true or false"),
        (
            "layers: [conv: {out: 3, kernel: 1, padding: [1, 2, 3]}]",
            "f.yaml:1:45: layers.0.conv.padding: must be a whole number, [height, width], [top, bottom, left, right]",
        ),
        ("layers: [conv: {out: 3, kernel: 1, padding: [0, 0, 0, -1]}]", "f.yaml:1:45: layers.0.conv.padding: must be"),
        ("layers: [max-pool: {kernel: 2, padding: [0, 0, 1, 1]}]", "f.yaml:1:41: layers.0.max-pool.padding: must be a"),
        (
            "layers: [conv: {out: 3, kernel: 1, strides: 2}]",
            "f.yaml:1:36: layers.0.conv.strides: unknown key 'strides'; did you mean 'stride'? allowed: out, kernel,",
        ),
        ("layers: [relu: {rate: 2}]", "f.yaml:1:17: layers.0.relu.rate: unknown key 'rate'; did you mean 'repeat'? a"),
        ("layers: [conv: 3]", "f.yaml:1:16: layers.0.conv: must be a mapping of options, got 3"),
        ("layers: [{relu: , gelu: }]", "f.yaml:1:10: layers.0: an entry is one layer"),
        ("layers: [relu: {repeat: 0}]", "f.yaml:1:25: layers.0.relu.repeat: must be a whole number of 1 to 2147483647"),
        ("layers: [dropout: {rate: 1}]", "f.yaml:1:26: layers.0.dropout.rate: must be less than 1, got 1"),
        (
            "layers: [residual: {body: [relu], shortcut: skip}]",
            "f.yaml:1:45: layers.0.residual.shortcut: must be one of identity, projection, auto, same or a list",
        ),
        ("layers: [residual: {body: [relu], shortcut: layers}]", "f.yaml:1:45: layers.0.residual.shortcut: must be on"),
        ("layers: [squeeze-excite: {width: 2, gate: sig}]", "f.yaml:1:43: layers.0.squeeze-excite.gate: must be one o"),
        ("layers: [auxiliary: {layers: [relu], weight: 0}]", "f.yaml:1:46: layers.0.auxiliary.weight: must be greater"),
        ("layers: [residual]", "f.yaml:1:10: layers.0.body: must be a list of layers, got None"),
        ("layers: [branches: [[relu]]]", "f.yaml:1:20: layers.0.branches: at least two lists of layers are expected"),
        ("layers: [$act]", "f.yaml:1:10: layers.0: unknown parameter $act; known: none here"),
        ("layers: [linear: {out: $n}]", "f.yaml:1:24: layers.0.linear.out: unknown parameter $n; known: none here"),
        ("blocks: 3\nlayers: [relu]", "f.yaml:1:9: blocks: must be a mapping of names to blocks, got 3"),
        ("blocks: {a: 3}\nlayers: [a]", "f.yaml:1:13: blocks.a: must be a mapping with parameters and layers, got 3"),
        ("blocks: {relu: {layers: [gelu]}}\nlayers: [relu]", "f.yaml:1:16: blocks.relu: the name of a layer cannot na"),
        ("blocks: {a: {layer: [gelu]}}\nlayers: [a]", "f.yaml:1:14: blocks.a.layer: unknown key 'layer'; did you mean"),
        ("blocks: {a: {layers: [a]}}\nlayers: [a]", "f.yaml:1:22: blocks.a.layers: layers nest more than 40 deep"),
        (
            "blocks: {a: {parameters: {n: required}, layers: [relu]}}\nlayers: [a]",
            "f.yaml:2:10: layers.0: block a needs n",
        ),
        (
            "blocks: {a: {layers: [relu]}}\nlayers: [a: {m: 3}]",
            "f.yaml:2:14: layers.0.a.m: unknown key 'm'; allowed: repeat, if",
        ),
        ("blocks: {a: {parameters: [n], layers: [relu]}}\nlayers: [a]", "f.yaml:1:26: blocks.a.parameters: must be a"),
        (
            "blocks: {a: {parameters: {n: [[1]]}, layers: [relu]}}\nlayers: [a]",
            "f.yaml:1:30: blocks.a.parameters.n: must be a number, text, flag, null, or a list of up to 4 of them",
        ),
        (
            "blocks: {a: {parameters: {n: 1}, layers: [relu]}}\nlayers: [a: {n: [1, 2, 3, 4, 5]}]",
            "f.yaml:2:17: layers.0.a.n: must be a number, text, flag, null, or a list of up to 4 of them",
        ),
        (
            "blocks: {a: {parameters: {n: 1}, layers: [linear: {out: $n}]}}\nlayers: [a: {n: 0}]",
            "f.yaml:1:57: blocks.a.layers.0.linear.out: must be greater than or equal to 1, got 0 (in block a, used at "
            "f.yaml:2:13)",
        ),
    ],
)
def test_complaints(text: str, complaint: str) -> None:
    found = complaints_of(text)
    assert any(line.startswith(complaint) for line in found), found


def test_all_complaints_at_once() -> None:
    text = "blocks: {b: {layers: [linear: {out: 0}]}}\nlayers: [b, cov, relu: {x: 1}]"
    assert [line.split(": ")[1] for line in complaints_of(text)] == [
        "blocks.b.layers.0.linear.out",
        "layers.1",
        "layers.2.relu.x",
    ]


def test_a_flag_is_not_the_number_of_equal_value() -> None:
    block = "blocks: {b: {parameters: {n: 1}, layers: [linear: {out: $n}]}}\n"
    assert len(complaints_of(f"{block}layers: [b: {{n: 1}}, b: {{n: true}}]")) == 1
    assert read(f"{block}layers: [b: {{n: 1}}, b: {{n: 1}}]")[0].parts[0][0].option("out") == 1


NESTED = "blocks:\n" + "".join(f"  b{i}: {{layers: [{', '.join([f'b{i + 1}'] * 4)}]}}\n" for i in range(15))
WIDE = "blocks:\n" + "".join(
    f"  b{i}: {{parameters: {{n: 1, m: 2}}, layers: [b{i + 1}: {{n: $n, m: $m}}, b{i + 1}: {{n: $m, m: 3}}, "
    f"b{i + 1}: {{n: {i + 10}, m: $n}}]}}\n"
    for i in range(14)
)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "layers:\n  - conv: {out: 8, kernel: 3, repeat: 1000000000}\n",
            "f.yaml:2:5: layers.0: 1,000,000,000 times 1 operators behind 0; allowed: 500,000 in all, by a repeat of "
            "at most 500000",
        ),
        (
            "layers: [gelu: {repeat: 400000}, relu: {repeat: 200000}]",
            "f.yaml:1:34: layers.1: 200,000 times 1 operators behind 400,000; allowed: 500,000 in all, by a repeat of "
            "at most 100000",
        ),
        ("layers: [flatten: {repeat: 2000000000}]", "f.yaml:1:10: layers.0: 2,000,000,000 times 1 operators behind 0"),
        ("layers: [unit: {layers: [relu: {repeat: 400000}], repeat: 2}]", "f.yaml:1:10: layers.0: 2 times 400,001 op"),
        (
            "layers: [branches: [[relu: {repeat: 400000}], [relu: {repeat: 400000}]]]",
            "f.yaml:1:20: layers.0.branches: 800,001 operators within; allowed: at most 500,000",
        ),
        (
            f"{NESTED}  b15: {{layers: [relu]}}\nlayers: [b0]",
            "f.yaml:8:29: blocks.b6.layers.3: 1 times 152,917 operato",
        ),
        (
            f"{WIDE}  b14: {{parameters: {{n: 1, m: 2}}, layers: [linear: {{out: $n}}]}}\nlayers: [b0]",
            "f.yaml:",
        ),
    ],
    ids=["repeat", "sum", "views", "unit", "branches", "nested", "parameters"],
)
def test_what_multiplies_is_refused_before_it_is_built(text: str, complaint: str) -> None:
    start = time.process_time()
    (found,) = complaints_of(text)
    assert time.process_time() - start < 20  # building them would take minutes
    assert found.startswith(complaint)
    assert "allowed: " in found


def test_deep_nesting_of_blocks_is_refused() -> None:
    def nested(inner: str) -> str:
        return "[unit: {layers: " * 25 + f"[{inner}]" + "}]" * 25

    text = f"blocks: {{a: {{layers: {nested('b')}}}, b: {{layers: {nested('relu')}}}}}\nlayers: [b, a]"
    assert "layers nest more than 40 deep" in complaints_of(text)[0]
    assert len(read(text.replace("[b, a]", "[b]"))) == 1


LEAVES = st.sampled_from(
    ["relu", "batch-norm", "{conv: {out: 4, kernel: 1}}", "{squeeze-excite: {width: 2}}", "{dropout: {rate: 0.1}}"]
)


def _around(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    lists = st.lists(inner, min_size=1, max_size=3).map(lambda entries: f"[{', '.join(entries)}]")
    times = st.integers(1, 3)
    return st.one_of(
        st.builds(lambda body, n: f"{{residual: {{body: {body}, shortcut: auto, repeat: {n}}}}}", lists, times),
        st.builds(lambda body, n: f"{{unit: {{layers: {body}, repeat: {n}}}}}", lists, times),
        st.builds(
            lambda a, b: f"{{unit: {{layers: [{{branches: [{a}, {b}]}}, {{conv: {{out: 4, kernel: 1}}}}]}}}}",
            lists,
            lists,
        ),
        st.builds(lambda body: f"{{auxiliary: {{layers: {body}}}}}", lists),
    )


@settings(deadline=None)
@given(st.lists(st.recursive(LEAVES, _around, max_leaves=6), min_size=1, max_size=4), st.integers(1, 4))
def test_the_count_is_never_below_the_graph(entries: list[str], repeat: int) -> None:
    """What is counted before anything is repeated bounds the operators of the graph, within a factor of four."""
    specs = read(f"blocks: {{b: {{layers: [{', '.join(entries)}]}}}}\nlayers: [b: {{repeat: {repeat}}}]")
    assert len(specs) == repeat
    graph = convnet_graph(ConvnetConfig(4, specs), "n", batch=1, image=4, dropout=True, loss=True, dtype="bf16")
    count = sum(spec.operators for spec in specs)
    assert len(graph) - 1 <= count <= 4 * len(graph)
