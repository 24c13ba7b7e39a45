"""Devices: shipped ones against data sheets, and what a file may say."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from accmine.errors import InputError
from accmine.files import names
from accmine.sparse.device import Device, load_device

BLOCKS = {  # dsp, lut, ff, bram18, uram, MHz, Gbit/s
    "u250": (12288, 1728000, 3456000, 5376, 1280, 250, 614.4),
    "u280": (9024, 1303680, 2607360, 4032, 960, 250, 3680),
    "zcu102": (2520, 274080, 548160, 1824, 0, 200, 136.48),
    "zcu104": (1728, 230400, 460800, 624, 96, 200, 153.6),
}
FILE = "name: own\ndsp: 8\nlut: 100\nff: 200\nbram18: 5\nfrequency: 100 MHz\nbandwidth: 1 GB/s\n"


def test_shipped_devices_have_the_figures_of_their_data_sheets() -> None:
    assert set(names("devices")) == set(BLOCKS)
    for name, (dsp, lut, ff, bram18, uram, mhz, gbit) in BLOCKS.items():
        own = load_device(name)
        assert own.name == name
        assert own.blocks() == {"dsp": dsp, "lut": lut, "ff": ff, "bram18": bram18, "uram": uram}
        assert own.ff == 2 * own.lut, "two registers to a LUT in this family"
        assert own.frequency_hz == mhz * 1e6
        assert own.bandwidth_bits_per_s == pytest.approx(gbit * 1e9)
        assert own.source


def test_bits_per_cycle_are_exact() -> None:
    assert load_device("u250").bits_per_cycle == Fraction(24576, 10)


def test_a_file_of_ones_own_with_blocks_of_18_kbit(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(FILE)
    own = load_device("own.yaml", tmp_path)
    assert own == Device("own", 8, 100, 200, 5, 0, 1e8, 8e9)


@pytest.mark.parametrize(
    ("old", "new", "place", "said"),
    [
        ("dsp: 8", "dsp: 0", "2:6: dsp", "must be greater than or equal to 1, got 0"),
        ("dsp: 8", "dsp: 8.0", "2:6: dsp", "whole number"),
        ("dsp: 8", "dsps: 8", "2:1: dsps", "did you mean 'dsp'"),
        ("lut: 100", "lut: 0", "3:6: lut", "must be greater than or equal to 1"),
        ("ff: 200", "ff: -1", "4:5: ff", "-1"),
        ("bram18: 5", "uram: 5", "1:1: bram36", "bram18 or bram36 is needed"),
        ("bram18: 5", "bram18: 5\nbram36: 5", "6:9: bram36", "one of them"),
        ("100 MHz", "100", "6:12: frequency", "no unit"),
        ("100 MHz", "0 MHz", "6:12: frequency", "more than 0"),
        ("1 GB/s", "0 GB/s", "7:12: bandwidth", "more than 0"),
        ("1 GB/s", "1 Gbit/s", "7:12: bandwidth", "allowed units"),
    ],
)
def test_what_is_wrong_has_its_place(tmp_path: Path, old: str, new: str, place: str, said: str) -> None:
    assert old in FILE
    file = tmp_path / "own.yaml"
    file.write_text(FILE.replace(old, new))
    with pytest.raises(InputError) as caught:
        load_device(file)
    assert f"{file}:{place}" in str(caught.value)
    assert said in str(caught.value)


def test_an_unknown_name_says_which_are_known() -> None:
    with pytest.raises(InputError, match=r"unknown device 'zcu10'; did you mean 'zcu10\d'\? known: u250, u280"):
        load_device("zcu10")


def test_a_device_without_dsps_is_refused_in_python_too() -> None:
    with pytest.raises(InputError, match="0 dsp"):
        Device("own", 0, 1, 1, 0, 0, 1e8, 1e9)
