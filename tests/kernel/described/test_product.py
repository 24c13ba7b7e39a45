"""What is wrong with a section ``product`` is told with its place, when the file is read."""

from __future__ import annotations

import pytest

from accmine.errors import InputError
from accmine.files import load_yaml
from accmine.kernel.architecture import Architecture
from accmine.kernel.described.architecture_file import architecture_schema, read_architecture
from accmine.kernel.described.product import DIMENSIONS

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
        ("n: rows,", "n: [1],", r"small.yaml:12:16: product.levels.array.n: must be a whole number or an expression"),
        ("n: rows,", "n: true,", r"small.yaml:12:16: product.levels.array.n: must be a whole number or an expression"),
        ("{n: rows, k: rows}", "serach", r"small.yaml:12:12: product.levels.array: must be loops, .* or search"),
        (
            "k: rows}",
            "k: rows, r: 1}",
            r"small.yaml:12:34: product.levels.array.r: is a part of k, .*; allowed: either",
        ),
        ("{m: m,", "{m: true,", r"small.yaml:14:17: .*work.m: must be a whole number or an expression, got True"),
        ("{m: m,", "{rows: m, m: m,", r"small.yaml:14:14: .*work.rows: is a parameter of the architecture"),
        ("{m: m,", "{per: [n, z], m: m,", r"small.yaml:14:23: .*work.per.1: must be one of b, m, k, n, i, .* got 'z'"),
        ("{m: m,", "{per: [n, c], m: m,", r"small.yaml:14:23: .*work.per.1: is a part of k, .*; say k"),
        (
            "{m: m, sums: [regs.sums]}",
            "{}\n      other: {}",
            r"small.yaml:14:7: .*instructions.0: an instruction is one",
        ),
        (
            "product:",
            "product:\n  search: {rows: 1, cols: 1, sram_bytes: 0}",
            r"small.yaml:11:11: .*no level is `search`",
        ),
        ("reads: [regs],", "reads: [],", r"small.yaml:14:27: .*work.sums.0: its unit does not read 'regs'"),
        ("k: rows}", "c: rows}\n    last: {p: c}", r"small.yaml:13:15: product.levels.last.p: unknown name 'c'"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(old: str, new: str, says: str) -> None:
    assert old in TEXT
    with pytest.raises(InputError, match=says):
        read(TEXT.replace(old, new))


PARTS = TEXT.replace("{n: rows, k: rows}", "{n: rows, c: rows, r: 1, p: 2}")


def test_names_are_those_of_the_loops() -> None:
    assert read(TEXT).product.names == ("b", "m", "k", "n", "e")  # type: ignore[union-attr]
    own = ("b", "m", "k", "n", "e", "i", "p", "q", "c", "r", "s", "h", "w")
    assert read(PARTS).product.names == own  # type: ignore[union-attr]
    rows_alone = read(TEXT.replace("{n: rows, k: rows}", "{n: rows, k: rows, p: 2}")).product
    assert rows_alone is not None
    assert rows_alone.names == ("b", "m", "k", "n", "e", "i", "p", "q")


@pytest.mark.parametrize("name", ["h * w * c", "i * p * q + r * s", "m * k"])
def test_expressions_may_name_parts(name: str) -> None:
    assert read(PARTS.replace("{m: m,", f"{{m: {name},")).product is not None


def test_parameters_may_be_called_as_parts_that_are_not_told_apart() -> None:
    assert read(TEXT.replace("{rows: 4}", "{rows: 4, c: 2}")).parameters["c"] == 2
    with pytest.raises(InputError, match=r"small.yaml:2:23: .*'c' is a size of a product"):
        read(PARTS.replace("{rows: 4}", "{rows: 4, c: 2}"))


def test_the_schema_knows_the_loops_of_a_convolution() -> None:
    rule = architecture_schema()["$defs"]["ProductRule"]["properties"]
    loops = next(way for way in rule["levels"]["additionalProperties"]["oneOf"] if way.get("type") == "object")
    assert loops["propertyNames"]["enum"] == list(DIMENSIONS)
    per = architecture_schema()["$defs"]["Move"]["properties"]["per"]
    assert per["items"]["enum"] == list(DIMENSIONS)
