"""JSON schemas: what is shipped is valid under them, and what the readers refuse mostly is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from accmine.errors import InputError
from accmine.files import DIMENSIONS, load_yaml, names, parse_quantity, quantity_pattern, resolve
from accmine.questions.study.schemas import SCHEMAS, reference_of, schema_of
from tests.kernel.described.test_architecture_file import JUNK as ARCHITECTURES
from tests.kernel.described.test_kernel_file import JUNK as KERNELS
from tests.kernel.described.texts import ARRAY, MACS, PRODUCT, TINY

FOLDERS = {
    "study": "studies",
    "sparse-dataflow": "studies",
    "workload": "workloads",
    "technology": "technologies",
    "cluster": "clusters",
    "design": "accelerators",
    "architecture": "kernels",
    "device": "devices",
    "engine": "engines",
}
TESTS = Path(__file__).parents[2]
OWN = {
    "technology": [TESTS / "data/accelergy/technology.yaml"],
    "architecture": [TESTS.parent / f"examples/kernel-{name}.yaml" for name in ("architecture", "convolution")],
    "kernel": [TESTS.parent / "examples/kernel.yaml"],
}
MODEL = {"family": "convnet", "image": 4, "layers": ["relu", {"linear": {"out": 4}}]}
LEVEL = {"name": "n", "devices": 8, "bandwidth": "25 GB/s", "latency": "5 us"}
DEVICE = {"name": "d", "dsp": 1, "lut": 1, "ff": 1, "bram18": 0, "frequency": "1 MHz", "bandwidth": "1 GB/s"}
STUDY = {"name": "s", "workloads": [{"use": "bert-large", "batch": 8}], "accelerator": {"use": "wham"}}


def valid(what: str, data: Any) -> bool:
    return bool(Draft202012Validator(schema_of(what)).is_valid(data))


def of_schema(what: str, name: str) -> bool:
    """Whether an entry is of the schema: studies of other kinds than training have their own."""
    return FOLDERS[what] != "studies" or name.startswith("sparse-") == (what == "sparse-dataflow")


@pytest.mark.parametrize("what", SCHEMAS)
def test_what_is_shipped_is_valid(what: str) -> None:
    table = schema_of(what)
    Draft202012Validator.check_schema(table)
    assert table["title"] == f"accmine {what}"
    shipped = [name for name in names(FOLDERS[what]) if of_schema(what, name)] if what in FOLDERS else []
    files = [resolve(FOLDERS[what], name) for name in shipped] + OWN.get(what, [])
    checker = Draft202012Validator(table)
    for file in files:
        data = load_yaml(file).data
        assert [f"{file.name}: {error.json_path}: {error.message}" for error in checker.iter_errors(data)] == []


@pytest.mark.parametrize(
    ("what", "good", "change"),
    [
        ("study", STUDY, {"accelerator": {"use": "whamm"}}),
        ("study", STUDY, {"limits": {"area": "400"}}),
        ("study", STUDY, {"limits": {"area": "400 W"}}),
        ("study", STUDY, {"accelerator": {"use": "wham", "hbm": "32 Gib"}}),
        ("study", STUDY, {"colour": "red"}),
        ("study", STUDY | {"sweep": {"grid": {"limits.area": ["400 mm^2"]}}}, {"sweep": {"grid": {}}}),
        ("study", {"name": "c", "compare": {"suite": "wham"}}, {"compare": 1}),
        ("workload", MODEL, {"image": 0}),
        ("workload", MODEL, {"layer": []}),
        ("workload", MODEL, {"family": "convent"}),
        ("cluster", {"name": "c", "levels": [LEVEL]}, {"levels": [LEVEL | {"bandwidth": "25 GB"}]}),
        ("cluster", {"name": "c", "levels": [LEVEL]}, {"levels": [LEVEL | {"topology": "star"}]}),
        ("design", {"tensor_cores": "1..4", "hbm": "16 GiB"}, {"tensor_cores": "one"}),
        ("design", {"tensor_cores": "1..4", "hbm": "16 GiB..64 GiB x2"}, {"hbm": "16 GiB..64 x2"}),
        ("design", {"dataflow": ["ws", "os"]}, {"dataflow": "sw"}),
        ("device", DEVICE, {"dsp": 0}),
        ("device", DEVICE, {"frequency": "100"}),
        ("device", DEVICE, {"bandwidth": "1 Gbit/s"}),
        ("engine", {"name": "e", "data_bits": 8}, {"data_bits": 0}),
        ("engine", {"name": "e", "band": [0.5, 2]}, {"band": [2]}),
        ("design", {"calibration": {"source": "s", "launch": "2 us"}}, {"calibration": {"source": "s", "launch": 2}}),
    ],
)
def test_what_is_wrong_is_not(what: str, good: dict[str, Any], change: dict[str, Any]) -> None:
    assert valid(what, good)
    assert not valid(what, good | change)


def test_a_constant_needs_its_unit_and_its_source() -> None:
    data = yaml.safe_load(resolve("technologies", "tpu-16nm").read_text())
    assert valid("technology", data)
    assert not valid("technology", data | {"node_nm": {"value": 16, "unit": "um", "source": "s"}})
    assert not valid("technology", data | {"node_nm": {"value": 16, "unit": "nm"}})


NOT_BY_STRUCTURE = {
    "kernel": [
        *("loop: rowz", "loop: 1 - rows", "repeat: {rows: 2}", "repeat: {i: 1000000}", "m: x", "'acc.C:4'", "spad.A:0"),
        *("spad.A:x", "spad.A", '["dram.A:256", "dram.A:8"]', "dram[4:4]", "dram[8:4]", "spad[-1:4]", "{'lo{x}': {"),
    ],
    "architecture": [
        *("latency: rows - 20", "latency: 4 +", "slots: rowz", "rows: x", "", "{kind: fetch,", "to: [dna]"),
        *("to: [dma, fetch]", "to: [dma, compute_queue]", "to: [array, load_queue]", "to: [dma]", "[load]"),
        *("  a: {to: [b]}\n  b: {to: [a]}\n  compute", "  a: {to: [a]}\n  compute", "reads: [dran]"),
        *('reads: ["dran_{1}?"]', "size: 4 KiX", "size: 0.3 B", "ports: 1, read_ports: 1", "  spad: {"),
        *("reads: [spad, ac]", "  dma: {", "frequency: 0 GHz", "dma: {repeat: {rows: 2}, "),
        *("dma: {repeat: {i: 100000, j: 100000}, ", "dma: {repeat: {i: 2}, executes: [load], latency: i"),
        "spad: {repeat: {i: 2}, bandwidth",
    ],
}
"""Of what readers refuse: what needs the numbers of expressions, or other places of the file."""


@pytest.mark.parametrize(
    ("what", "text", "junk"), [("kernel", PRODUCT, KERNELS), ("architecture", TINY, ARCHITECTURES)]
)
def test_a_description_that_is_wrong_by_structure_is_not_valid(
    what: str, text: str, junk: list[tuple[str, str, str, str]]
) -> None:
    checker = Draft202012Validator(schema_of(what))
    passed = [
        new for old, new, *_ in junk if checker.is_valid(load_yaml(text=text.replace(old, new, 1), name="x").data)
    ]
    assert sorted(passed) == sorted(NOT_BY_STRUCTURE[what])
    assert len(junk) - len(passed) > 20


@pytest.mark.parametrize(("what", "text"), [("kernel", MACS), ("architecture", ARRAY)])
def test_names_and_operands_with_expressions_are_valid(what: str, text: str) -> None:
    assert valid(what, load_yaml(text=text).data)


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_patterns_are_what_the_reader_takes(dimension: str) -> None:
    checker = Draft202012Validator({"type": "string", "pattern": quantity_pattern(dimension)})
    texts = [
        f"{number}{space}{unit}"
        for unit in DIMENSIONS[dimension]
        for number in ("1", "1.5e3", ".5")
        for space in ("", " ")
    ]
    texts += ["1 mm²", "3 mm2", "1 µs", "1 KB", "1 KB/s", "7", "-1 s", "W", "1 parsec", "1_000 W", ""]
    for text in texts:
        try:
            parse_quantity(text, dimension)
            taken = True
        except InputError:
            taken = False
        assert checker.is_valid(text) is taken, text


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(InputError, match=r"did you mean 'cluster'.*allowed: study, sparse-dataflow, workload"):
        schema_of("clusters")


@pytest.mark.parametrize("what", ["architecture", "kernel", "sparse-dataflow"])
def test_the_page_of_keys_is_current(what: str) -> None:
    page = (TESTS.parent / f"docs/{what.removesuffix('-dataflow')}-keys.md").read_text(encoding="utf-8")
    assert page == reference_of(what)


def test_there_are_tables_of_keys_for_some_kinds() -> None:
    assert reference_of("study").startswith("# Keys of a study")
    with pytest.raises(InputError, match="is about study, architecture, kernel, sparse-dataflow, not about cluster"):
        reference_of("cluster")
