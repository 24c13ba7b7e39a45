"""Warnings of answers that are odd although they are the best."""

from __future__ import annotations

from dataclasses import replace

import pytest

from accmine.hardware import load_accelerator
from accmine.hardware.technology import load_technology
from accmine.questions.run.caveats import GIB, behind, of_bubble, unused


@pytest.mark.parametrize(("bubble", "said"), [(0.5, False), (0.63, True)])
def test_a_bubble_above_half_of_a_step(bubble: float, said: bool) -> None:
    found = list(of_bubble("bert", bubble))
    assert bool(found) is said
    assert not said or "bert: devices wait for others of the pipeline in 63 % of a step" in found[0]


def test_a_metric_far_below_its_baselines() -> None:
    assert list(behind("throughput", [("a", 0.5), ("b", 2.0), ("c", float("nan"))])) == []
    (said,) = behind("throughput", [("a", 0.031), ("b", 2.0), ("c", 0.4)])
    assert "throughput is 3.1 % of that of a, 40 % of that of c, under the same rules" in said


def test_a_clock_far_below_that_of_the_technology() -> None:
    design, technology = load_accelerator("tpuv2-like"), load_technology("accelerator-7nm")
    assert list(unused([design], load_technology("tpu-16nm"))) == []
    (said,) = [text for text in unused([design, design], technology) if "clock" in text]
    assert "is 700 MHz, accelerator-7nm goes up to 1,700 MHz" in said
    assert list(unused([replace(design, frequency_hz=850_000_000)], load_technology("tpu-16nm"))) == []


def test_stacks_that_are_counted_and_not_used() -> None:
    """160 GiB are 20 stacks of tpu-16nm, of 8 GiB and 225 GB/s each: 4,500 GB/s, of which 700 GB/s are used."""
    design, technology = load_accelerator("tpuv2-like"), load_technology("tpu-16nm")
    (said,) = unused([replace(design, hbm_bytes=160 * GIB, hbm_bytes_per_s=700 * 10**9)], technology)
    assert "area and power of 20 HBM stacks" in said
    assert "they give 4,500 GB/s, of which it uses 15.6 %: accelerator.hbm_bandwidth may be larger" in said
    (other,) = unused([replace(design, hbm_bytes=8 * GIB, hbm_bytes_per_s=900 * 10**9)], technology)
    assert "they give 32 GiB, of which it uses 25 %: accelerator.hbm may be larger" in other
    phaze = load_technology("phaze-22nm")
    assert [text for text in unused([replace(design, hbm_bytes=160 * GIB)], phaze) if "stacks" in text] == []
