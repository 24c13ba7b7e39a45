"""Files of architectures: what they say, repetitions, and what is wrong with them and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from accmine.errors import InputError
from accmine.files import load_yaml, names
from accmine.kernel.described.architecture_file import architecture_schema, load_architecture, read_architecture
from tests.kernel.described.texts import ARRAY, TINY, architecture, place_of


def test_what_a_file_says() -> None:
    found = architecture()
    assert (found.name, found.frequency_hz, found.parameters) == ("tiny", 1e9, {"rows": 16, "cols": 16})
    fetch, queue = found.stages["fetch"], found.stages["load_queue"]
    assert (fetch.kind, fetch.latency, fetch.interval, fetch.slots) == ("fetch", 1, 1, 4)
    assert (queue.kind, queue.latency, queue.to) == ("stage", 0, ("dma",))
    array = found.units["array"]
    assert (array.mnemonics, array.latency, array.interval) == (("matmul",), "rows + cols + m - 2", "m")
    assert found.units["dma"].interval == 1
    assert found.registers["acc"].registers == {"C": 1, "D": 2}
    dram, spad = found.memories["dram"], found.memories["spad"]
    assert (dram.size_bytes, dram.ports, dram.read_ports, dram.buffers) == (4096, None, 1, {"A": 1})
    assert (spad.ports, spad.read_latency, spad.size_bytes) == (2, 1, 2**18)


def test_parameters_are_replaced_and_may_name_those_before() -> None:
    text = TINY.replace("{rows: 16, cols: 16}", "{rows: 16, cols: rows * 2}").replace("slots: 4", "slots: cols")
    assert architecture(text).stages["fetch"].slots == 32
    assert architecture(text, rows=3).stages["fetch"].slots == 6
    assert architecture(text, cols=5).stages["fetch"].slots == 5
    for wrong, says in (
        ({"row": 2}, "did you mean 'rows'"),
        ({"rows": 1.5}, "whole number"),
        ({"rows": True}, "whole"),
    ):
        with pytest.raises(InputError, match=says):
            read_architecture(load_yaml(text=text), wrong)  # type: ignore[arg-type]


def test_an_array_is_ten_lines() -> None:
    found = architecture(ARRAY, rows=3, cols=4)
    assert len(ARRAY.splitlines()) <= 13
    assert len(found.units) == len(found.registers) == 12
    assert found.stages["fetch"].to == tuple(f"queue_{r}_{c}" for r in range(3) for c in range(4))
    assert found.stages["queue_2_3"].slots == 7
    assert found.units["pe_0_0"].reads == ("pass_0_0",)
    assert found.units["pe_0_2"].reads == ("pass_0_1", "pass_0_2")
    assert found.units["pe_2_2"].reads == ("pass_2_1", "pass_1_2", "pass_2_2")
    assert len(architecture(ARRAY).units) == 256
    assert architecture(ARRAY, rows=1, cols=1).units["pe_0_0"].reads == ("pass_0_0",)


def test_registers_of_a_repetition_are_joined_and_indices_stand_in_open_expressions() -> None:
    text = TINY.replace("acc: {C: 1, D: 2}", 'acc: {repeat: {i: 3}, "C{i}": i + 1}\n  more: [a, b]')
    text = text.replace("dma: {", "dma: {repeat: {i: 1, j: 2}, ").replace("latency: 4, interval: 1", "latency: 4 + n")
    found = architecture(text)
    assert found.registers["acc"].registers == {"C0": 1, "C1": 2, "C2": 3}
    assert found.registers["more"].registers == {"a": 1, "b": 1}
    text = text.replace("4 + n", "i * n").replace("  dma: {repeat: {i: 1,", '  "dma{j}": {repeat: {i: 1,')
    text = text.replace("[dma]", "[dma0, dma1]").replace("executes: [load]", 'executes: ["load{j}"]')
    assert architecture(text).units["dma1"].latency == "(0) * n"


def test_every_shipped_one_is_read() -> None:
    assert names("kernels")
    for name in names("kernels"):
        found = load_architecture(name)
        assert found.abstracts, name
        assert found.description, name


def test_a_file_of_a_user(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(TINY)
    assert load_architecture("mine.yaml", tmp_path, {"rows": 2}).parameters["rows"] == 2
    with pytest.raises(InputError, match="no such file"):
        load_architecture("other.yaml", tmp_path)
    with pytest.raises(InputError, match="unknown architecture of kernels"):
        load_architecture("no-such-thing")


JUNK = [
    # what is replaced, by what, at which word the complaint is (of the new text), what it says
    ("latency: 1,", "latncy: 1,", "latncy", "unknown key 'latncy'; did you mean 'latency'"),
    ("latency: 4", "latency: -4", "-4", "must be at least 0, is -4"),
    ("latency: 4", "latency: rows - 20", "rows - 20", "must be at least 0, is -4"),
    ("latency: 4", "latency: 1.5", "1.5", "must be a whole number or an expression, got 1.5"),
    ("latency: 4", "latency: 4 +", "4 +", "something is missing at the end"),
    ("latency: 4", "latency: [4]", "[4]", "must be a whole number or an expression"),
    ("slots: 4", "slots: 0", "0, to", "must be at least 1, is 0"),
    ("slots: 4", "slots: rowz", "rowz", "unknown name 'rowz' in 'rowz'; did you mean 'rows'"),
    ("interval: 1", "interval: -1", "-1", "must be at least 0"),
    ("rows: 16", "rows: x", "x, cols", "unknown name 'x'"),
    ("rows: 16", "min: 16", "min: 16", "'min' is no name"),
    ("rows: 16", "ro-ws: 16", "ro-ws", "is no name"),
    ("kind: fetch, ", "", "stages", "no stage is of kind fetch; exactly one is needed"),
    ("{slots: 2, latency: 0,", "{kind: fetch,", "load_queue: {", "2 stages are of kind fetch; exactly one"),
    ("to: [dma]", "to: []", "[]}\n  comp", "'load_queue' forwards to nothing"),
    ("to: [dma]", "to: [dna]", "dna", "there is no 'dna' in stages and units; did you mean 'dma'"),
    ("to: [dma]", "to: [dma, fetch]", "fetch]", "'fetch' is the fetch stage, to which nothing forwards"),
    ("to: [dma]", "to: [dma, compute_queue]", "matmul", "'matmul' has more than one path: fetch > "),
    ("to: [array]", "to: [array, load_queue]", "load_queue]}\nunits", "an execute stage contains units"),
    ("to: [array]", "to: [dma]", "array: {", "'array' is not reached from the fetch stage 'fetch'"),
    ("  compute", "  a: {to: [b]}\n  b: {to: [a]}\n  compute", "[a]", "stages forward in a circle: a > b > a"),
    ("  compute", "  a: {to: [a]}\n  compute", "[a]", "stages forward in a circle: a > a"),
    ("[matmul]", "[load]", "load], latency: rows", "'load' has more than one path: fetch > load_queue > dma and"),
    ("[matmul]", "[]", "[], latency: rows", "at least 1 item"),
    ("[matmul]", "matmul", "matmul", "must be a list"),
    ("[matmul]", "[mat.mul]", "mat.mul", "is no name"),
    ("reads: [dram]", "reads: [dran]", "dran", "there is no 'dran' in registers and memories; did you mean 'dram'"),
    ("reads: [dram]", 'reads: ["dran_{1}?"]', '"dran', "'dran_{1}' names nothing"),
    ("bandwidth: 16", "bandwidth: 0", "0, read", "must be at least 1"),
    ("bandwidth: 16, ", "", "{read_latency", "is required"),
    ("read_latency: 100", "read_latency: 0", "0, write", "must be at least 1, is 0"),
    ("size: 4 KiB", "size: 4 KiX", "4 KiX", "follows a whole expression"),
    ("size: 4 KiB", "size: 0.3 B", "0.3 B", "must be whole bytes"),
    ("size: 4 KiB", "size: 0", "0, read_ports", "must be at least 1"),
    (", write_ports: 1", "", "{bandwidth: 16", "is required: read_ports and write_ports come together"),
    ("read_ports: 1", "ports: 1, read_ports: 1", "1, read_ports", "leave it out, or read_ports and write_ports"),
    ("buffers: {A: 1}", "buffers: {A: 0}", "0}}\n  spad", "must be at least 1"),
    ("acc: {C: 1", "acc: {C: 0", "0, D", "must be at least 1"),
    ("acc: {C: 1, D: 2}", "acc: [C, C]", "[C, C]", "names C twice"),
    ("  acc: {", "  spad: {", "spad: {b", "'spad' is a name in registers already"),
    (
        "reads: [spad, acc]",
        "reads: [spad, ac]",
        "ac], w",
        "there is no 'ac' in registers and memories; did you mean 'acc'",
    ),
    ("  spad: {", "  dma: {", "dma: {b", "'dma' is a name in units already"),
    ("ports: 2", "kind: cache", "cache", "'cache' is refused: what a cache holds depends on all earlier"),
    ("ports: 2", "ways: 2", "2, size", "'ways' is refused: what a cache holds"),
    ("ports: 2", "arbitration: arrival", "arrival", "'arrival' is refused: ports are taken in program order"),
    ("slots: 4", "issue: out-of-order", "out-of-order", "'out-of-order' is refused: instructions are issued in"),
    ("kind: execute", "kind: out-of-order", "out-of-order", "'out-of-order' is refused"),
    (
        "kind: execute",
        "kind: exec",
        "exec,",
        "must be one of fetch, stage, execute, got 'exec'; did you mean 'execute'",
    ),
    ("frequency: 1 GHz", "frequency: 1", "1\nparam", "has no unit"),
    ("frequency: 1 GHz", "frequency: 0 GHz", "0 GHz", "must be more than 0"),
    ("name: tiny", "name: ''", "''", "at least 1 character"),
    ("frequency: 1 GHz", "caches: {}", "caches", "unknown key 'caches'"),
    ("dma: {", "dma: {repeat: {i: 0}, ", "0}, exe", "must be at least 1, is 0"),
    ("dma: {", "dma: {repeat: {rows: 2}, ", "rows: 2}", "'rows' is a name already, 16"),
    ("dma: {", "dma: {repeat: {i: 100000, j: 100000}, ", "{i: 100000", "100000 x 100000 are too many; allowed: 100000"),
    ("dma: {", "dma: {repeat: {}, ", "{}, exe", "at least 1 item"),
    (
        "dma: {executes: [load], latency: 4",
        "dma: {repeat: {i: 2}, executes: [load], latency: i",
        "i, inter",
        "dma' has 0 and 1",
    ),
    ("spad: {bandwidth", "spad: {repeat: {i: 2}, bandwidth", "{A: 2", "'spad' has 'A' twice in its repetition"),
    ("  dma: {", "  dma_{i: {", "dma_{i", "has a brace without partner"),
    ("units:", "units: []\nunit:", "[]", "must be a mapping"),
]


@pytest.mark.parametrize(
    ("old", "new", "word", "says"), JUNK, ids=[f"{new} {n}" for n, (_, new, *_) in enumerate(JUNK)]
)
def test_what_is_wrong_has_its_place(old: str, new: str, word: str, says: str) -> None:
    assert old in TINY
    text = TINY.replace(old, new, 1)
    with pytest.raises(InputError) as raised:
        architecture(text)
    wrong = [f"{item.where}: {item.message}" for item in raised.value.complaints]
    assert any(says in item for item in wrong), wrong
    assert any(item.startswith(f"arch.yaml:{place_of(text, word)}:") for item in wrong if says in item), wrong


def test_all_at_once_and_a_repetition_complains_once() -> None:
    with pytest.raises(InputError) as raised:
        architecture(ARRAY.replace("latency: 0, slots", "latency: -1, slots").replace("sum: 1", "sum: 0"))
    assert len(raised.value.complaints) == 2


def test_aliases_and_merges_and_numbers_as_elsewhere() -> None:
    text = TINY.replace("  load_queue: {slots: 2, latency: 0,", "  load_queue: &q {slots: 2, latency: 0,")
    assert architecture(text.replace("{kind: execute, slots: 2,", "{<<: *q,")).stages["compute_queue"].latency == 0
    for wrong, says in (
        ("latency: 0x10", "base 10"),
        ("latency: 1e999", "too large"),
        ("latency: 4, latency: 5", "duplicate"),
    ):
        with pytest.raises(InputError, match=says):
            architecture(TINY.replace("latency: 4", wrong))


def test_the_schema_knows_every_key_of_the_shipped_ones() -> None:
    schema = architecture_schema()
    assert schema["additionalProperties"] is False
    for name in names("kernels"):
        document = load_architecture(name).document
        assert document is not None
        assert set(document.data) <= set(schema["properties"]), name
