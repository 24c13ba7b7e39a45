"""The section calibration of a file: read, written, and refused with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from accmine.errors import InputError
from accmine.files import load_yaml
from accmine.hardware import Calibration, Constants, Tiles, dump_design, load_accelerator
from accmine.hardware.calibration_file import calibration_section, read_calibration
from tests.hardware.test_calibration import FULL

SECTION = """calibration:
  launch: 2 us
  tiles: {shapes: [128x256, 64x64], fill: 100, edge: 10, split_launch: 2 us, split_traffic: 0.3}
  kinds:
    product: {array_efficiency: 0.9, overlap: 4, interval: [0.9, 1.1], hbm_ramp: 100 KB}
    softmax: {launch: 5 us}
  source: a bench
"""


def read(text: str) -> Calibration:
    return read_calibration(load_yaml(text=text, name="chip.yaml"))


def test_a_kind_takes_from_the_section_what_it_does_not_say() -> None:
    found = read(SECTION)
    assert found.launch_s == found.of("product").launch_s == 2e-6
    assert found.of("softmax").launch_s == 5e-6
    assert found.of("product") == Constants(2e-6, 0.9, overlap=4.0, interval=(0.9, 1.1), hbm_ramp_bytes=1e5)
    assert found.tiles == Tiles(((128, 256), (64, 64)), 100.0, 10.0, 2e-6, 0.3)


def test_the_flat_form_is_the_default_kind() -> None:
    flat = "calibration: {launch: 29 us, array_efficiency: 0.9, vector_efficiency: 1, hbm_efficiency: 0.8, source: x}"
    found = read(flat)
    assert found == Calibration(2.9e-5, 0.9, 1.0, 0.8)
    assert found.of("product") is found.of("norm") is found


@pytest.mark.parametrize("calibration", [FULL, Calibration(1e-5, 0.9, 1.0, 0.8), read(SECTION)])
def test_what_is_written_is_read_back(calibration: Calibration) -> None:
    text = yaml.safe_dump({"calibration": calibration_section(calibration, "x")}, sort_keys=False)
    assert read(text) == calibration


@pytest.mark.parametrize("name", ["a100-80gb", "h100"])
def test_a_dumped_design_keeps_the_calibration_of_its_chip(name: str, tmp_path: Path) -> None:
    design = load_accelerator(name)
    assert design.calibration.tiles.shapes
    file = tmp_path / "found.yaml"
    file.write_text(dump_design(design, "found"), encoding="utf-8")
    assert load_accelerator(file).calibration == design.calibration


@pytest.mark.parametrize(
    ("old", "new", "where", "field", "message"),
    [
        ("    softmax:", "    gemm:", "6:", "calibration.kinds.gemm", "unknown key"),
        ("launch: 5 us", "launch: 5", "6:", "calibration.kinds.softmax.launch", "unit"),
        ("overlap: 4", "overlap: 0.1", "5:", "calibration.kinds.product.overlap", "1 or more"),
        ("[0.9, 1.1]", "[1.1, 0.9]", "5:", "calibration.kinds.product.interval", "the lower first"),
        ("[0.9, 1.1]", "0.9", "5:", "calibration.kinds.product.interval", "two ratios"),
        ("100 KB", "3 us", "5:", "calibration.kinds.product.hbm_ramp", "unit"),
        ("[128x256, 64x64]", "[128]", "3:", "calibration.tiles.shapes", "128x256"),
        ("shapes: [128x256, 64x64], ", "", "3:", "calibration.tiles", "shapes are missing"),
        ("fill: 100", "fill: -1", "3:", "calibration.tiles.fill", "0 or more"),
        ("  source: a bench\n", "", "", "calibration", "source is missing"),
        ("  kinds:", "  kind:", "5:", "calibration.kind", "did you mean 'kinds'"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(old: str, new: str, where: str, field: str, message: str) -> None:
    assert old in SECTION
    with pytest.raises(InputError) as caught:
        read(SECTION.replace(old, new))
    found = [c for c in caught.value.complaints if c.field == field]
    assert found, caught.value.complaints
    assert message in found[0].message
    assert f":{where}" in found[0].where or not where
