"""The table of chips: dies that hold their products, and figures with the units of silicon."""

from __future__ import annotations

from itertools import chain

import pytest

from accmine.hardware.technology import load_technology
from accmine.questions.accuracy.chip_table import LOGIC_MTR_PER_MM2, KnownChip, known_chips, other_chips

ALL = [pytest.param(chip, id=chip.name) for chip in chain(known_chips(), other_chips())]


@pytest.mark.parametrize("chip", ALL)
def test_a_product_is_part_of_its_die(chip: KnownChip) -> None:
    assert chip.product.tensor == chip.die.tensor
    assert chip.product.vector == chip.die.vector
    assert chip.product.tensor_cores <= chip.die.tensor_cores
    assert chip.product.vector_cores <= chip.die.vector_cores
    assert chip.product.shared_sram_bytes <= chip.die.shared_sram_bytes
    assert chip.mac in ("bf16", "fp16", "int8")
    assert load_technology(chip.technology).area is not None
    assert chip.source


@pytest.mark.parametrize("chip", ALL)
def test_figures_are_of_the_size_of_dies_and_boards(chip: KnownChip) -> None:
    assert chip.die_mm2 is None or 30 < chip.die_mm2 < 860, "no reticle is larger"
    powers = [w for w in (chip.idle_w, chip.measured_w, chip.tdp_w) if w is not None]
    assert all(1 < w < 1000 for w in powers)
    if chip.idle_w is not None and chip.tdp_w is not None:
        assert chip.idle_w < chip.tdp_w
    assert 0 <= chip.stacks <= 8
    assert 0 <= chip.phy_mm2 < 200


def test_every_chip_has_one_name_and_smaller_nodes_are_denser() -> None:
    names = [chip.name for chip in chain(known_chips(), other_chips())]
    assert len(set(names)) == len(names)
    nodes = sorted(LOGIC_MTR_PER_MM2)
    assert [LOGIC_MTR_PER_MM2[n] for n in nodes] == sorted(LOGIC_MTR_PER_MM2.values(), reverse=True)
