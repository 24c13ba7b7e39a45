"""docs/array-sizes.md: its tables are those of the benchmark, and its claims hold in them."""

from __future__ import annotations

import importlib.util
import re
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOC = (ROOT / "docs" / "array-sizes.md").read_text(encoding="utf-8")


@cache
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("array_sizes", ROOT / "benchmarks" / "array_sizes.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@cache
def utilisations(model: str, batch: int) -> dict[str, list[float]]:
    """Per cent with 256², 128² and 64²: of the arrays alone and of the step."""
    b = benchmark()
    graph, technology = b.graph_of(model, batch), b.load_technology("tpu-16nm")
    rows = [b.measure(model, batch, graph, b.design_of(*size), technology) for size in b.ARRAYS]
    return {name: [100 * getattr(row, name) for row in rows] for name in ("arrays", "step")}


def test_all_else_is_equal() -> None:
    b = benchmark()
    designs = [b.design_of(*size) for size in b.ARRAYS]
    for d in designs:
        assert d.tensor_cores * d.tensor.macs == 65_536
        assert d.tensor_cores * d.tensor.sram_bytes == 24 << 20
        assert d.vector_cores * d.vector.sram_bytes == 8 << 20
        assert d.vector_cores * d.vector.lanes * d.vector.ops_per_lane == 4096
    for one, other in pairwise(designs):
        assert (one.hbm_bytes_per_s, one.frequency_hz) == (other.hbm_bytes_per_s, other.frequency_hz)


def documented(model: str) -> list[float]:
    """Utilisations of the step at batch 32 as the page has them."""
    row = re.search(rf"^\| {re.escape(model)}(?:, batch 32)? \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|", DOC, re.MULTILINE)
    assert row is not None, model
    return [float(x) for x in row.groups()]


@pytest.mark.parametrize("model", ["resnet-50", "mobilenet-v3-large"])
def test_utilisations_are_those_of_the_page_and_in_order(model: str) -> None:
    found = utilisations(model, 32)
    assert found["step"] == pytest.approx(documented(model), abs=0.06)
    for large, medium, small in found.values():
        assert large < medium <= small


@pytest.mark.full
def test_the_whole_table() -> None:
    names = benchmark().MODELS
    ratios = []
    for model in names:
        found = utilisations(model, 32)
        assert found["step"] == pytest.approx(documented(model), abs=0.06)
        ratios.append(found["step"][1] / found["step"][0])
    assert (min(ratios), max(ratios)) == pytest.approx((1.21, 2.07), abs=0.006)
