from __future__ import annotations

from typing import Any

import pytest
import yaml

from accmine.workload.importers.fields import Source
from accmine.workload.importers.layer_list import LAYERS, LayerSpec, read_layers


def read(text: str) -> tuple[tuple[LayerSpec, ...], list[str]]:
    data: dict[str, Any] = yaml.safe_load(text)
    source = Source("f.yaml", data)
    specs = read_layers(source, data.get("layers"), data.get("blocks"))
    return specs, [str(c) for c in source.complaints]


def test_names_and_options() -> None:
    specs, complaints = read("layers: [conv: {out: 4, kernel: [1, 7], padding: same}, relu, {relu: {repeat: 2}}]")
    assert complaints == []
    assert [spec.kind for spec in specs] == ["conv", "relu", "relu", "relu"]
    assert specs[0].option("kernel") == (1, 7)
    assert specs[0].option("padding") == "same"
    assert specs[0].option("stride") == 1
    assert specs[0].field == "layers[0].conv"


def test_geometry_of_a_convolution() -> None:
    specs, complaints = read(
        "layers: [conv: {out: 4, kernel: 3, dilation: [2, 1], padding: [0, 1, 2, 3], stride: [1, 2], groups: 2}]"
    )
    assert complaints == []
    found = dict(specs[0].options)
    assert (found["dilation"], found["padding"], found["stride"]) == ((2, 1), (0, 1, 2, 3), (1, 2))


def test_blocks_with_parameters() -> None:
    text = """
    blocks:
      inner: {parameters: {out: required, act: relu}, layers: [conv: {out: $out, kernel: 1}, $act]}
      outer: {parameters: {n: 2}, layers: [inner: {out: 8, act: gelu, repeat: $n}, {dropout: {rate: 0.1, if: false}}]}
    layers: [outer: {n: 3}, outer]
    """
    specs, complaints = read(text)
    assert complaints == []
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
    specs, complaints = read(text)
    assert complaints == []
    assert [len(part) for part in specs[0].parts] == [1, 2]
    assert [spec.option("shortcut") for spec in specs[:2]] == ["layers", "identity"]
    assert [len(part) for part in specs[2].parts] == [1, 2]
    assert specs[3].option("weight") == 0.4


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("layers: [cov]", "f.yaml: layers[0]: unknown layer 'cov'; allowed: conv, linear,"),
        ("layers: 3", "f.yaml: layers: a list of layers is expected, got 3"),
        ("layers: []", "f.yaml: layers: a list of layers is expected, got []"),
        ("layers: [conv: {kernel: 3}]", "f.yaml: layers[0].conv.out: missing; a positive integer is required"),
        ("layers: [conv: {out: 3, kernel: 0}]", "f.yaml: layers[0].conv.kernel: an integer of at least 1 or [heigh"),
        (
            "layers: [conv: {out: 3, kernel: 1, dilation: 0}]",
            "f.yaml: layers[0].conv.dilation: an integer of at least 1",
        ),
        (
            "layers: [conv: {out: 3, kernel: 1, padding: [1, 2, 3]}]",
            "f.yaml: layers[0].conv.padding: an integer of at least 0, [height, width], [top, bottom, left, right] or",
        ),
        ("layers: [conv: {out: 3, kernel: 1, padding: [0, 0, 0, -1]}]", "f.yaml: layers[0].conv.padding: an integer"),
        ("layers: [max-pool: {kernel: 2, padding: [0, 0, 1, 1]}]", "f.yaml: layers[0].max-pool.padding: an integer"),
        ("layers: [conv: {out: 3, kernel: 1, strides: 2}]", "f.yaml: layers[0].conv.strides: unknown key; allowed: "),
        ("layers: [conv: 3]", "f.yaml: layers[0].conv: a mapping of options is expected, got 3"),
        ("layers: [{relu: , gelu: }]", "f.yaml: layers[0]: an entry is one layer"),
        ("layers: [relu: {repeat: 0}]", "f.yaml: layers[0].relu.repeat: a positive integer is expected, got 0"),
        ("layers: [residual: {body: [relu], shortcut: skip}]", "f.yaml: layers[0].residual.shortcut: identity, pro"),
        ("layers: [residual]", "f.yaml: layers[0].body: a list of layers is expected, got None"),
        ("layers: [branches: [[relu]]]", "f.yaml: layers[0].branches: at least two lists of layers are expected"),
        ("layers: [$act]", "f.yaml: layers[0]: unknown parameter $act; known: none here"),
        ("layers: [linear: {out: $n}]", "f.yaml: layers[0].linear.out: unknown parameter $n; known: none here"),
        ("blocks: 3\nlayers: [relu]", "f.yaml: blocks: a mapping of names to blocks is expected, got 3"),
        ("blocks: {relu: {layers: [gelu]}}\nlayers: [relu]", "f.yaml: blocks.relu: the name of a layer cannot name a"),
        ("blocks: {a: {layer: [gelu]}}\nlayers: [a]", "f.yaml: blocks.a.layer: unknown key; allowed: layers, param"),
        ("blocks: {a: {layers: [a]}}\nlayers: [a]", "f.yaml: blocks.a.layers[0]: blocks nest more than 20 deep"),
        ("blocks: {a: {parameters: {n: required}, layers: [relu]}}\nlayers: [a]", "f.yaml: layers[0]: block a needs n"),
        (
            "blocks: {a: {layers: [relu]}}\nlayers: [a: {m: 3}]",
            "f.yaml: layers[0].a.m: unknown parameter of block a; allowed: repeat, if",
        ),
        ("blocks: {a: {parameters: [n], layers: [relu]}}\nlayers: [a]", "f.yaml: blocks.a.parameters: a mapping of n"),
    ],
)
def test_complaints(text: str, complaint: str) -> None:
    _, complaints = read(text)
    assert any(line.startswith(complaint) for line in complaints), complaints


def test_every_default_is_allowed() -> None:
    for options in LAYERS.values():
        for field in options.values():
            assert field.required or field.default is None or field.allowed.test(field.default)
