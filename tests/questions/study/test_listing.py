"""Rows of the catalogue."""

from __future__ import annotations

from typing import Any

import pytest

from tests.samples.command_sample import caller


@pytest.fixture
def accmine(capsys: pytest.CaptureFixture[str]) -> Any:
    return caller(capsys)


def test_list_workloads(accmine: Any) -> None:
    rows = {row["name"]: row for row in accmine("list", "workloads", "--json").json}
    assert rows["resnet-50"]["parameters"] == 25_557_032
    assert abs(rows["resnet-50"]["forward_macs"] / 4.09e9 - 1) < 0.01


def test_list_accelerators(accmine: Any) -> None:
    rows = {row["name"]: row for row in accmine("list", "accelerators", "--json").json}
    assert rows["wham"]["kind"] == "template"
    assert rows["tpuv2-like"]["kind"] == "design"
    assert round(rows["tpuv2-like"]["peak_tflops_per_s"], 1) == 45.9
    assert rows["h100-like"]["kind"] == "anchor"
    calibrated = [rows[name]["calibrated"] for name in ("a100-80gb", "a100-40gb", "v100")]
    assert calibrated == ["yes", "relative", "no"]
