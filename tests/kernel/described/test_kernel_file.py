"""Files of kernels: loops, instructions, repetitions, operands, and what is wrong with them and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from accmine.errors import InputError
from accmine.kernel.architecture import Instruction, Loop, Operand
from accmine.kernel.described import kernel_file
from accmine.kernel.described.kernel_file import kernel_schema, load_kernel
from tests.kernel.described.texts import ARRAY, MACS, PRODUCT, TINY, architecture, kernel, place_of


def test_a_loop_of_instructions() -> None:
    load = Instruction("load", (Operand("dram", "A", 256),), (Operand("spad", "A", 256),))
    product = Instruction("matmul", (Operand("spad", "A", 256),), (), (Operand("acc", "C"),), {"m": 16})
    found = kernel(PRODUCT, architecture())
    assert found.name == "product"
    assert found.body == (Loop(64, (load, product)),)


def test_parameters_names_labels_and_addresses() -> None:
    text = """\
name: k
parameters: {blocks: rows * 2}
body:
  - loop: blocks
    name: block
    body:
      - loop: 2
        body: [{load: {reads: ["dram[0:16 * cols]"], writes: ["spad.A"], label: first}}]
  - load: {n: 3, reads: ["dram.A:n * 2"], writes: ["spad[4:10]"]}
"""
    found = kernel(text, architecture())
    outer, last = found.body
    assert isinstance(outer, Loop)
    assert (outer.trips, outer.name) == (32, "block")
    inner = outer.body[0]
    assert isinstance(inner, Loop)
    assert isinstance(inner.body[0], Instruction)
    assert inner.body[0].label == "first"
    assert inner.body[0].reads == (Operand("dram", (0, 256), 256),)
    assert inner.body[0].writes == (Operand("spad", "A", 256),)
    assert isinstance(last, Instruction)
    assert last.values == {"n": 3}
    assert (last.reads, last.writes) == ((Operand("dram", "A", 6),), (Operand("spad", (4, 10), 6),))
    replaced = kernel(text, architecture(), blocks=7).body[0]
    assert isinstance(replaced, Loop)
    assert replaced.trips == 7


def test_a_repetition_is_written_out() -> None:
    machine = architecture(ARRAY, rows=2, cols=3)
    (loop,) = kernel(MACS, machine, macs=5).body
    assert isinstance(loop, Loop)
    assert loop.trips == 5
    assert [item.mnemonic for item in loop.body if isinstance(item, Instruction)] == [
        f"mac_{r}_{c}" for r in range(2) for c in range(3)
    ]
    first, last = loop.body[0], loop.body[-1]
    assert isinstance(first, Instruction)
    assert isinstance(last, Instruction)
    assert first.reads == ()
    assert last.reads == (Operand("pass_1_1", "east"), Operand("pass_0_2", "south"))
    assert last.updates == (Operand("pass_1_2", "sum"),)
    assert kernel(MACS, architecture(ARRAY, rows=1, cols=1)).body


def test_a_million_millions_of_trips_are_fine() -> None:
    (loop,) = kernel(PRODUCT.replace("64", "1e12"), architecture()).body
    assert isinstance(loop, Loop)
    assert loop.trips == 10**12


def test_a_file_of_a_user(tmp_path: Path) -> None:
    (tmp_path / "k.yaml").write_text(PRODUCT)
    assert load_kernel("k.yaml", architecture(), tmp_path).name == "product"
    with pytest.raises(InputError, match="no such file"):
        load_kernel("none.yaml", architecture(), tmp_path)
    with pytest.raises(InputError, match="no such file"):
        load_kernel(tmp_path, architecture())


JUNK = [
    ("loop: 64", "loop: 0", "0\n", "must be at least 1, is 0"),
    ("loop: 64", "loop: -3", "-3", "must be at least 1, is -3"),
    ("loop: 64", "loop: 1.5", "1.5", "must be a whole number or an expression, got '1.5'"),
    ("loop: 64", "loop: true", "true", "must be a whole number"),
    ("loop: 64", "loop: rowz", "rowz", "unknown name 'rowz' in 'rowz'; did you mean 'rows'"),
    ("loop: 64", "loop: 1 - rows", "1 - rows", "must be at least 1, is -15"),
    ("loop: 64", "loop: 64\n    nme: i", "nme", "unknown key 'nme'; did you mean 'name'"),
    ("loop: 64", "loop: 64\n    name: [i]", "[i]", "must be text"),
    ("loop: 64", "repeat: 64", "64", "must be a mapping of indices to counts"),
    ("loop: 64", "repeat: {i: 0}", "0}", "must be at least 1"),
    ("loop: 64", "repeat: {rows: 2}", "rows: 2", "'rows' is a name already, 16"),
    ("loop: 64", "repeat: {i: 1000000}", "{i: 1000000}", "are too many; allowed: 100000 in all"),
    ("loop: 64", "repeat: {i: 2}\n    loop: 2", "repeat", "unknown key 'repeat'"),
    ("- loop: 64\n    body:", "- loop: 64\n    bdy:", "bdy", "unknown key 'bdy'; did you mean 'body'"),
    ("name: product", "nme: product", "nme", "unknown key 'nme'; did you mean 'name'"),
    ("m: 16", "m: x", "x, reads", "unknown name 'x'"),
    ("m: 16", "m: -1", "-1", "must be at least 0"),
    ("m: 16", "m: [16]", "m: [16]", "is neither a word of instructions nor a value"),
    ("m: 16, reads", "m: 16, raeds", "raeds", "did you mean 'reads'"),
    ("m: 16, ", "m: 16, label: [x], ", "[x]", "must be text"),
    ("updates: [acc.C]", "updates: acc.C", "acc.C", "must be a list of operands"),
    ("acc.C", "acc", "acc]", "must be an operand, got 'acc'; allowed: REGISTERS.NAME"),
    ("acc.C", "7", "7]", "must be an operand, got '7'"),
    ("acc.C", "'acc.C:4'", "'acc.C:4'", "'acc' has registers, which have no bytes"),
    ("spad.A:256", "spad.A:0", '"spad.A:0', "must be at least 1"),
    ("spad.A:256", "spad.A:x", '"spad.A:x', "unknown name 'x'"),
    ("spad.A:256", "spad.A", '"spad.A', "needs bytes, as spad.A:64; no operand of the other side has any"),
    ('["dram.A:256"]', '["dram.A:256", "dram.A:8"]', "spad.A]", "needs bytes, as spad.A:64; several operands there"),
    ("dram.A:256", "dram[4:4]", '"dram', "FIRST:BEHIND with 0 <= FIRST < BEHIND, got 4:4"),
    ("dram.A:256", "dram[8:4]", '"dram', "got 8:4"),
    ("spad.A:256", "spad[0]", '"spad[0]', "must be an operand"),
    ("spad.A:256", "spad[-1:4]", '"spad[-1:4]', "must be at least 0, is -1"),
    ("{load: {", "{load: {}, store: {", "{load", "is one instruction with one mnemonic, got load, store"),
    ('- {load: {reads: ["dram.A:256"], writes: [spad.A]}}', "- 7", "7\n", "must be an instruction, a loop or a"),
    ('- {load: {reads: ["dram.A:256"], writes: [spad.A]}}', "- load: 7", "7\n", "must be a mapping of reads, writes"),
    ('- {load: {reads: ["dram.A:256"], writes: [spad.A]}}', "- loop: 2", "loop: 2", "is required"),
    ('- {load: {reads: ["dram.A:256"], writes: [spad.A]}}', "- {loop: 2, body: []}", "[]", "is empty; allowed"),
    ('- {load: {reads: ["dram.A:256"], writes: [spad.A]}}', "- {loop: 2, body: load}", "load}", "must be a list"),
    ("{load: {", "{'lo{x}': {", "'lo{x}", "unknown name 'x'"),
]


@pytest.mark.parametrize(
    ("old", "new", "word", "says"), JUNK, ids=[f"{new} {n}" for n, (_, new, *_) in enumerate(JUNK)]
)
def test_what_is_wrong_has_its_place(old: str, new: str, word: str, says: str) -> None:
    assert old in PRODUCT
    text = PRODUCT.replace(old, new, 1)
    with pytest.raises(InputError) as raised:
        kernel(text, architecture())
    wrong = [f"{item.where}: {item.message}" for item in raised.value.complaints]
    assert any(says in item for item in wrong), wrong
    assert any(item.startswith(f"kernel.yaml:{place_of(text, word)}:") for item in wrong if says in item), wrong


def test_nested_repetitions_are_bounded_before_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_file, "MOST_ITEMS", 2000)
    nest = "[load]"
    for index in "abcd":
        nest = f"[{{repeat: {{{index}: 300}}, body: {nest}}}]"
    with pytest.raises(InputError, match="more than 2000 instructions when written out; use loops"):
        kernel(f"name: k\nbody: {nest}\n", architecture())


def test_an_instruction_without_operands_is_its_name() -> None:
    machine = architecture(TINY)
    assert kernel("name: k\nbody: [load, {load: }]\n", machine).body == (Instruction("load"), Instruction("load"))


def test_the_schema_asks_for_a_name_and_a_body() -> None:
    assert kernel_schema()["required"] == ["name", "body"]
    assert kernel_schema()["additionalProperties"] is False
