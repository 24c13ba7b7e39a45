"""Rates per element type: what a file may state, and that designs keep it on every way."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from accmine.errors import InputError
from accmine.files import load_yaml
from accmine.hardware import (
    Design,
    TensorCore,
    VectorCore,
    checked_rates,
    dump_design,
    load_accelerator,
    template_of,
    types_of,
)

RATES = (("fp8", 2.0), ("tf32", 0.5))
LANES = (("fp16", 2.0),)
DESIGN = Design(
    4, TensorCore(8, 16, 1 << 20, "os", RATES), 2, VectorCore(16, 2, 1 << 18, LANES), 1 << 34, 700 * 10**9, 7 * 10**8
)
PLAIN = replace(DESIGN, tensor=DESIGN.tensor.plain, vector=DESIGN.vector.plain)


def test_rates_are_multiples_of_the_peak() -> None:
    assert [DESIGN.flops_per_s(dtype) for dtype in ("bf16", "fp8", "tf32", "int8")] == [
        DESIGN.peak_flops_per_s,
        2 * DESIGN.peak_flops_per_s,
        0.5 * DESIGN.peak_flops_per_s,
        None,
    ]
    assert [DESIGN.vector.width(dtype) for dtype in ("fp32", "fp16", "bf16")] == [32, 64, 32]
    assert VectorCore(1, 1, 1024, (("fp16", 0.25),)).width("fp16") == 1


def test_a_design_keeps_its_rates(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(dump_design(DESIGN))
    assert load_accelerator(file) == DESIGN
    assert Design.from_table(json.loads(json.dumps(asdict(DESIGN)))) == DESIGN
    assert len({DESIGN, PLAIN}) == 2
    assert sorted([DESIGN, PLAIN]) == [PLAIN, DESIGN]
    assert "-fp8x2-tf32x0.5" in DESIGN.name
    assert "-fp16x2" in DESIGN.name
    assert "x2-" not in PLAIN.name.replace("16x2-", "")
    old = asdict(PLAIN)
    for part in ("tensor", "vector"):
        del old[part]["rates"]
    assert Design.from_table(old) == PLAIN


def test_all_designs_of_a_template_have_its_rates() -> None:
    template = replace(template_of(DESIGN), tensor_rows=(8, 16))
    assert {types.tensor.rates for types in types_of(template)} == {RATES}
    assert {types.vector.rates for types in types_of(template)} == {LANES}
    assert template.size == 2
    assert template.contains(DESIGN)
    assert not template.contains(PLAIN)


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("tensor_rates", "{fp8: 0}", "t:2:21: tensor_rates.fp8: must be a multiple of the bf16 rate from 1/64 to 64"),
        ("tensor_rates", "{fp8: -2}", "tensor_rates.fp8: must be a multiple of the bf16 rate from 1/64 to 64, got -2"),
        ("tensor_rates", "{fp8: .nan}", "tensor_rates.fp8: must be a finite number"),
        ("tensor_rates", "{fp8: true}", "tensor_rates.fp8: must be a multiple of the bf16 rate from 1/64 to 64, got T"),
        ("tensor_rates", "{int8: 2 x}", "tensor_rates.int8: must be a multiple of the bf16 rate"),
        ("tensor_rates", "{fp9: 2}", "t:2:21: tensor_rates.fp9: unknown dtype 'fp9'; did you mean 'fp8'?"),
        ("tensor_rates", "{bf16: 1}", "tensor_rates.bf16: is the unit of tensor_rates; leave it out"),
        ("tensor_rates", "2", "t:2:15: tensor_rates: must be a mapping of fp16, fp32, fp8, int8, tf32 to multiples"),
        ("tensor_rates", "{}", "tensor_rates: must be a mapping"),
        ("vector_rates", "{fp32: 1}", "vector_rates.fp32: is the unit of vector_rates"),
        ("vector_rates", "{tf32: 1}", "vector_rates.tf32: unknown dtype 'tf32'"),
        ("vector_rates", "{fp16: 100}", "vector_rates.fp16: must be a multiple of the fp32 rate from 1/64 to 64"),
    ],
)
def test_wrong_rates_name_their_place_and_what_is_allowed(key: str, value: str, complaint: str) -> None:
    lines = [line for line in dump_design(PLAIN).splitlines() if not line.startswith("name")]
    text = "\n".join(["name: t", f"{key}: {value}", *lines])
    with pytest.raises(InputError) as caught:
        template_of(load_yaml(text=text, name="t"))
    (line,) = map(str, caught.value.complaints)
    assert complaint in line
    assert line.startswith("t:2:")


def test_every_complaint_at_once() -> None:
    wrong: dict[str, Any] = {"fp8": 0, "half": 2, "tf32": 0.5}
    with pytest.raises(InputError) as caught:
        checked_rates("tensor_rates", wrong)
    assert [c.field for c in caught.value.complaints] == ["fp8", "half"]
    assert checked_rates("tensor_rates", {"tf32": 0.5, "fp8": 2}) == RATES
