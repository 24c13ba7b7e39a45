"""The table of chips in docs/chips.md is that of the shipped files."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from accmine.cost import PRESETS, pace
from accmine.errors import InputError
from accmine.files import names
from accmine.hardware import chosen, facts_of, load_accelerator, needs, read_accelerator, template_of

DOCS = Path(__file__).parents[2] / "docs" / "chips.md"
DTYPES = ("fp32", "tf32", "bf16", "fp16", "fp8", "int8")


def cell(name: str, dtype: str) -> str:
    design = load_accelerator(name)
    try:
        passes, rate = pace(dtype, design.tensor.rates, PRESETS["tpu-like"])
    except InputError:
        return "–"
    text = f"{design.peak_flops_per_s * rate / passes / 1e12:,.4g}"
    return text if design.tensor.rate(dtype) is not None else f"({text})"


def chips() -> list[str]:
    """Shipped designs that are no anchors, by name."""
    found = []
    for name in names("accelerators"):
        document = read_accelerator(name)
        if not facts_of(document).anchor and template_of(document).size == 1:
            found.append(name)
    return found


def table() -> str:
    rows = []
    for name in chips():
        document, design = read_accelerator(name), load_accelerator(name)
        technology, _ = chosen([facts_of(document).technology], partial(needs, design))
        peaks = " | ".join(cell(name, dtype) for dtype in DTYPES)
        calibrated = facts_of(document).calibrated
        memory = f"{document.data['hbm']} | {design.hbm_bytes_per_s / 1e9:,.4g}"
        rows.append(f"| `{name}` | {peaks} | {memory} | `{technology.name}` | {calibrated} |")
    return "\n".join(rows)


def test_the_table_of_chips_is_that_of_the_files() -> None:
    assert table() in DOCS.read_text(encoding="utf-8")


def test_every_chip_and_anchor_is_named() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in names("accelerators"))
