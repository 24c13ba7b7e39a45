"""Coverage: what a technology has no costs for is left out of a template, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from accmine.errors import InputError
from accmine.hardware import DesignSpace, Template, count_feasible, covered, template_from_mapping
from accmine.hardware.technology import load_technology
from accmine.hardware.technology.phaze import phaze_l2_bytes

PHAZE, TPU = load_technology("phaze-22nm"), load_technology("tpu-16nm")
MIB = 1 << 20


def phaze() -> Template:
    """A template that the law of tables covers."""
    return replace(
        template_from_mapping({"use": "tpuv2-like"}),
        tensor_rows=(64,),
        tensor_cols=(64,),
        tensor_sram_bytes=(phaze_l2_bytes(64 * 64),),
        vector_lanes=(128,),
        vector_ops_per_lane=(1,),
        vector_sram_bytes=(phaze_l2_bytes(128),),
        shared_sram_bytes=(16 * MIB,),
        port_bytes_per_s=(10**9,),
    )


def test_what_is_covered_stays_as_it_is() -> None:
    assert covered(phaze(), PHAZE) == (phaze(), ())
    wham = template_from_mapping({"use": "wham"})
    assert covered(wham, TPU) == (wham, ())


@pytest.mark.parametrize(
    ("field", "values", "kept", "key", "shown"),
    [
        ("shared_sram_bytes", (3 * MIB, 16 * MIB), (16 * MIB,), "shared_sram", ("3 MiB",)),
        ("vector_ops_per_lane", (1, 2, 4), (1,), "vector_ops_per_lane", ("2", "4")),
        ("tensor_rows", (64, 65), (64,), "tensor_rows", ("65",)),
        ("tensor_sram_bytes", (MIB, 1 << 16), (1 << 16,), "tensor_sram", ("1 MiB",)),
    ],
)
def test_values_without_a_cost_are_left_out(
    field: str, values: tuple[int, ...], kept: tuple[int, ...], key: str, shown: tuple[str, ...]
) -> None:
    change: dict[str, Any] = {field: values}
    template, beyond = covered(replace(phaze(), **change), PHAZE)
    assert getattr(template, field) == kept
    (one,) = beyond
    assert (one.key, one.values, one.every) == (key, shown, False)
    assert one.why
    assert count_feasible(template, PHAZE) == len(DesignSpace(template)), "all that is left has costs"


def test_a_tunable_without_any_value_is_named_alone() -> None:
    template, beyond = covered(replace(phaze(), vector_ops_per_lane=(2, 4)), PHAZE)
    (one,) = beyond
    assert (one.key, one.every) == ("vector_ops_per_lane", True)
    assert template.vector_ops_per_lane == (2, 4)
    _, beyond = covered(replace(template_from_mapping({"use": "wham"}), frequency_hz=(2 * 10**9,)), TPU)
    assert [(b.key, b.every) for b in beyond] == [("frequency", True)]


def test_a_combination_that_does_not_fit_is_refused() -> None:
    """32 x 32 has another buffer than 64 x 64: both sizes are covered, but not with each other."""
    both = tuple(sorted({phaze_l2_bytes(64 * 64), phaze_l2_bytes(32 * 32)}))
    sizes = replace(phaze(), tensor_rows=(32, 64), tensor_cols=(32, 64), tensor_sram_bytes=both)
    with pytest.raises(InputError, match="tensor_rows, tensor_cols, tensor_sram have to fit in all combinations"):
        covered(sizes, PHAZE)
