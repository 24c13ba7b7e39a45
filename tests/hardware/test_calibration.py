"""Constants per kind of operator: what they are, which kind takes whose, and what is refused."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from accmine.errors import InputError
from accmine.hardware import Calibration, Constants, Design, Tiles
from accmine.hardware.calibration import KINDS, LIKE
from tests.samples.search_sample import design

FULL = Calibration(
    launch_s=2e-6,
    hbm_efficiency=0.9,
    kinds=(
        ("softmax", Constants(hbm_efficiency=0.5, interval=(0.9, 1.2))),
        ("product", Constants(3e-6, 0.9, 1.0, 0.8, 1e5, 4.0, 0.9, 5e-6, (0.8, 1.1))),
    ),
    tiles=Tiles(((128, 256), (64, 64)), 100.0, 10.0, 2e-6, 0.3),
)


def test_a_kind_takes_its_own_constants_or_those_of_its_like_or_the_default() -> None:
    assert FULL.of("product").hbm_efficiency == FULL.of("convolution").hbm_efficiency == 0.8
    assert FULL.of("attention") == FULL.of("product")
    assert FULL.of("softmax").hbm_efficiency == 0.5
    assert FULL.of("norm").hbm_efficiency == FULL.of("optimizer").hbm_efficiency == 0.9
    assert [kind for kind, _ in FULL.kinds] == ["product", "softmax"], "whatever the order given"
    assert FULL.best("hbm_efficiency") == 0.9
    assert FULL.best("array_efficiency") == 1.0
    assert set(LIKE) | set(LIKE.values()) <= set(KINDS)


def test_it_survives_json_and_names_its_design() -> None:
    own = replace(design(4, 2), calibration=FULL)
    assert Design.from_table(json.loads(json.dumps(asdict(own), allow_nan=False))) == own
    other = replace(FULL, tiles=replace(FULL.tiles, fill=101.0))
    names = {replace(own, calibration=c).name for c in (FULL, other, replace(FULL, kinds=()), Calibration())}
    assert len(names) == 4
    assert sorted([FULL, other, Calibration()])[0] == Calibration()
    assert len({FULL, other, replace(FULL)}) == 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constants(launch_s=-1e-6), "launch must be from 0"),
        (lambda: Constants(host_launch_s=1.0), "host_launch must be from 0"),
        (lambda: Constants(hbm_efficiency=1.01), "hbm_efficiency must be above 0 and at most 1"),
        (lambda: Constants(sustained=0.0), "sustained must be above 0"),
        (lambda: Constants(hbm_ramp_bytes=-1.0), "hbm_ramp must be 0 or more"),
        (lambda: Constants(overlap=0.5), "overlap must be 1 or more"),
        (lambda: Constants(interval=(1.1, 0.9)), "the lower first"),
        (lambda: Constants(interval=(0.9,)), "two ratios"),
        (lambda: Tiles(((0, 64),)), "tiles need shapes"),
        (lambda: Tiles(((64, 64),), fill=-1.0), "fill of tiles must be 0 or more"),
        (lambda: Calibration(kinds=(("gemm", Constants()),)), "unknown kind gemm; allowed: product"),
    ],
)
def test_what_is_refused(make: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()  # type: ignore[operator]
