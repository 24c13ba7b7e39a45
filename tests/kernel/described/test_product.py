"""What is wrong with a section ``product`` is told with its place, when the file is read."""

from __future__ import annotations

import pytest

from accmine.errors import InputError
from accmine.files import load_yaml
from accmine.kernel.architecture import Architecture
from accmine.kernel.described.architecture_file import read_architecture

TEXT = """name: small
parameters: {rows: 4}
stages:
  issue: {kind: fetch, to: [run]}
  run: {kind: execute, to: [array]}
units:
  array: {executes: [work], latency: m, reads: [regs], writes: [regs]}
registers:
  regs: {sums: 1}
product:
  levels:
    array: {n: rows, k: rows}
  instructions:
    - work: {m: m, sums: [regs.sums]}
"""


def read(text: str) -> Architecture:
    return read_architecture(load_yaml(text=text, name="small.yaml"))


def test_a_section_is_read() -> None:
    rule = read(TEXT).product
    assert rule is not None
    assert rule.levels == {"array": {"n": "rows", "k": "rows"}}
    ((mnemonic, move),) = rule.moves
    assert (mnemonic, move.sums, move.values) == ("work", ("regs.sums",), {"m": "m"})


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("n: rows,", "n: rwos,", r"small.yaml:12:16: product.levels.array.n: unknown name 'rwos'"),
        ("n: rows,", "n: rows - 4,", r"small.yaml:12:16: product.levels.array.n: must be at least 1, is 0"),
        (
            "n: rows,",
            "z: rows,",
            r"small.yaml:12:13: product.levels.array.z: unknown dimension 'z'; .*allowed: b, m, k, n, i",
        ),
        ("- work: {m: m,", "- wrok: {m: m,", r"small.yaml:14:7: .*no unit executes 'wrok'; did you mean 'work'"),
        ("{m: m,", "{m: p,", r"small.yaml:14:17: .*unknown name 'p'"),
        ("[regs.sums]", "[regs.sum]", r"small.yaml:14:27: .*no 'regs.sum'; did you mean 'regs.sums'"),
        ("[regs.sums]", "[regs]", r"small.yaml:14:27: .*no operand; allowed: PLACE.PART"),
        ("[regs.sums]", "['regs.sums:m *']", r"small.yaml:14:27: .*missing at the end"),
        (
            "sums: [",
            "level: top, sums: [",
            r"small.yaml:14:27: product.instructions.0.work.level: unknown level 'top'; allowed: array",
        ),
        ("{rows: 4}", "{rows: 4, m: 2}", r"small.yaml:2:23: .*'m' is a size of a product"),
        ("{n: rows, k: rows}", "search", r"small.yaml:12:12: product.levels.array: .*no key `search`"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(old: str, new: str, says: str) -> None:
    assert old in TEXT
    with pytest.raises(InputError, match=says):
        read(TEXT.replace(old, new))
