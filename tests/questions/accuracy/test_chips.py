"""Known chips: the fits are what the files say, and what they predict of a chip left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from accmine.hardware import PartsArea, TensorCore
from accmine.hardware.technology import Technology, area_breakdown, area_mm2, chip_of, load_technology
from accmine.questions.accuracy import chips
from accmine.questions.accuracy.chips import (
    KnownChip,
    area_rows,
    fit_area,
    fit_power,
    known_chips,
    other_area_rows,
    other_chips,
    power_rows,
    rows,
)

CHIPS = known_chips()
DOCS = (Path(__file__).parents[3] / "docs" / "technology.md").read_text(encoding="utf-8")
NODES = ("accelerator-28nm", "accelerator-16nm", "accelerator-7nm", "accelerator-5nm")


def law(technology: Technology) -> PartsArea:
    assert isinstance(technology.area, PartsArea)
    return technology.area


def jackknife(values: list[float]) -> float:
    """Standard error of an estimate from its values with one observation left out each."""
    n = len(values)
    return float(np.sqrt((n - 1) / n * np.sum((np.array(values) - np.mean(values)) ** 2)))


# the fits in the files


@pytest.mark.parametrize("name", ["accelerator-45nm", *NODES, "accelerator-22nm"])
def test_shipped_files_hold_the_fits(name: str) -> None:
    technology = load_technology(name)
    bands = {item.name: item.band for item in technology.constants}
    area, power = fit_area(CHIPS), fit_power(CHIPS)
    assert law(technology).multiplier == 1
    assert law(technology).phy_multiplier == pytest.approx(area.phy_multiplier, abs=5e-4)
    assert law(technology).base_mm2 == pytest.approx(area.base_mm2, abs=0.05)
    assert technology.need_power().leakage_w_per_mm2 == pytest.approx(power.static_w_per_mm2, abs=1e-4)
    assert technology.tdp_margin == pytest.approx(power.margin, abs=1e-3)
    fits = [row.left_out_fit for row in area_rows()]
    for constant, value, fitted in (
        ("phy_multiplier", area.phy_multiplier, [fit.phy_multiplier for fit in fits]),
        ("base_mm2", area.base_mm2, [fit.base_mm2 for fit in fits]),
    ):
        band = bands[f"area.{constant}"]
        assert 2 * jackknife(fitted) / value <= band < 2 * jackknife(fitted) / value + 0.01
    idle = max(abs(row.error) for row in power_rows() if row.quantity == "idle")
    others = max(abs(row.error) for row in power_rows() if row.quantity != "idle")
    assert idle <= bands["power.leakage_w_per_mm2"] < idle + 0.06
    assert others <= bands["power.tdp_margin"] < others + 0.06
    assert technology.need_power().relative_error == bands["power.tdp_margin"]


def test_fit_is_the_least_of_the_squared_relative_errors() -> None:
    best = fit_area(CHIPS)

    def loss(phy: float, base: float) -> float:
        fit = chips.AreaFit(phy, base)
        return sum((fit.area_mm2(chip) / chip.die_mm2 - 1) ** 2 for chip in CHIPS)

    least = loss(best.phy_multiplier, best.base_mm2)
    for step in (-0.01, 0.01):
        assert loss(best.phy_multiplier + step, best.base_mm2) > least
        assert loss(best.phy_multiplier, best.base_mm2 + step) > least


def test_the_fit_of_a_chip_left_out_does_not_know_it() -> None:
    wrong = tuple(replace(chip, die_mm2=9 * chip.die_mm2) if chip.name == "A100" else chip for chip in CHIPS)
    known, changed = area_rows(CHIPS), area_rows(wrong)
    for before, after in zip(known, changed, strict=True):
        if before.chip.name == "A100":
            assert after.left_out_mm2 == before.left_out_mm2
            assert after.fitted_mm2 > before.fitted_mm2
        else:
            assert after.left_out_mm2 != before.left_out_mm2


def test_area_is_that_of_the_law() -> None:
    fit = fit_area(CHIPS)
    for chip in CHIPS:
        own = chips.own_technology(chip)
        area = replace(law(own), base_mm2=fit.base_mm2, phy_multiplier=fit.phy_multiplier)
        assert fit.area_mm2(chip) == pytest.approx(area_mm2(chip.die, replace(own, area=area)))


def test_chips_have_the_interfaces_of_their_files() -> None:
    for chip in CHIPS:
        own = law(chips.own_technology(chip))
        interface = replace(own, multiplier=0.0, phy_multiplier=1.0).fixed_mm2(chip_of(chip.die))
        assert interface["hbm_interface"] == pytest.approx(chip.stacks * 10.45)
        assert interface["io_phy"] == chip.phy_mm2
        assert chip.product.peak_flops_per_s <= chip.die.peak_flops_per_s
    a100 = next(chip for chip in CHIPS if chip.name == "A100")
    assert a100.product.peak_flops_per_s == pytest.approx(311.9e12, rel=1e-3)
    assert (a100.die.tensor_cores, a100.product.tensor_cores) == (128, 108)


# what they predict


def test_left_out_dies_are_within_twenty_percent_and_in_the_band() -> None:
    for row in area_rows():
        assert abs(row.error) <= 0.20
        assert abs(row.error) <= law(load_technology(row.chip.technology)).relative_error
    assert max(abs(row.error) for row in area_rows()) == pytest.approx(0.080, abs=0.002)


def test_dies_of_no_fit_are_in_the_band_but_for_one() -> None:
    expected = {"V100": 0.058, "P100": 0.091, "MI100": -0.232, "Ascend 910": -0.085, "TSP": 0.398}
    errors = {row.chip.name: row.error for row in other_area_rows()}
    assert errors == pytest.approx(expected, abs=0.002)
    assert not {chip.name for chip in other_chips()} & {chip.name for chip in CHIPS}
    for name in expected.keys() - {"TSP"}:
        assert abs(errors[name]) <= law(load_technology("accelerator-16nm")).relative_error


def test_ledger_rows() -> None:
    ledger = rows()
    assert {row["quantity"] for row in ledger} == {
        "die area mm2, chip left out of the fit",
        "die area mm2, chip of no fit",
        "die area mm2, chip of no fit (known miss: mostly SRAM, no HBM)",
        "idle W, chip left out of the fit",
        "TDP W, chip left out of the fit",
        "measured maximum W, chip left out of the fit",
        "TDP (a power limit) against peak W, chip left out of the fit",
    }
    keys = ("name", "quantity", "model", "published", "ratio", "at_least", "at_most", "ok", "source")
    assert all(tuple(row) == keys for row in ledger)
    assert len(ledger) == 7 + 5 + 5 + 6 + 2
    for row in ledger:
        assert row["ok"] == (row["at_least"] <= row["model"] / row["published"] <= row["at_most"])
    assert all(row["ok"] for row in ledger)


def test_a_wrong_law_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows fail when silicon is counted at a third of its size: nothing in them is a constant."""
    changed = {name: load_technology(name).perturbed({"area.sram_mm2_per_mib": 0.3}) for name in NODES}
    with readings(monkeypatch, changed):
        assert not all(row["ok"] for row in rows())


# other readings of the chips


class readings:  # noqa: N801 - reads as a statement
    """Replaces the technologies of the chips for a while; the terms of the area are not kept beyond it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, technologies: dict[str, Technology]) -> None:
        self.monkeypatch, self.technologies = monkeypatch, technologies

    def __enter__(self) -> None:
        chips._area_terms.cache_clear()
        self.monkeypatch.setattr(chips, "load_technology", self.technologies.__getitem__)

    def __exit__(self, *_: object) -> None:
        self.monkeypatch.undo()
        chips._area_terms.cache_clear()


def per_tensor_core(chip: KnownChip) -> KnownChip:
    """Every tensor core of a GPU an array with a network port of its own, four to a multiprocessor."""
    if chip.mac != "fp16":
        return chip
    array = chip.die.tensor
    core = TensorCore(array.rows // 2, array.cols // 2, array.sram_bytes // 4)
    die = replace(chip.die, tensor=core, tensor_cores=4 * chip.die.tensor_cores)
    return replace(chip, die=die, shared_ports=0)


READINGS: dict[str, Callable[[KnownChip], KnownChip]] = {
    "as in the files": lambda chip: chip,
    "GPUs: two network ports per multiprocessor": lambda chip: replace(chip, shared_ports=0),
    "GPUs: every tensor core and vector core with a network port": per_tensor_core,
    "GPUs: no fp64 units": lambda chip: replace(chip, logic_mtr=chip.logic_mtr * (chip.mac != "fp16")),
    "GPUs: one operation per lane": lambda chip: (
        replace(chip, die=replace(chip.die, vector=replace(chip.die.vector, ops_per_lane=1)))
        if chip.mac == "fp16"
        else chip
    ),
    "TPUv1: int8 multipliers as large as bf16": lambda chip: replace(chip, mac=chip.mac.replace("int8", "bf16")),
    "TPUs: no links between chips": lambda chip: (
        replace(chip, logic_mtr=0.0, phy_mm2=16 * 0.48) if chip.mac == "bf16" else chip
    ),
}


def documented(errors: list[float]) -> str:
    return " | ".join(f"{100 * error:+.0f} %" for error in errors)


def errors_of(reading: Callable[[KnownChip], KnownChip]) -> list[float]:
    """Errors of the seven chips left out, then of V100, P100 and MI100 by the fit on the seven."""
    changed = [reading(chip) for chip in CHIPS]
    fit = fit_area(changed)
    others = [fit.area_mm2(reading(chip)) / chip.die_mm2 - 1 for chip in other_chips()[:3]]
    return [row.error for row in area_rows(changed)] + others


@pytest.mark.parametrize("label", READINGS)
def test_other_readings_of_the_chips_are_documented(label: str) -> None:
    assert f"| {label} | {documented(errors_of(READINGS[label]))} |" in DOCS


@pytest.fixture
def denser_sram(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    changed = {name: load_technology(name).perturbed({"area.sram_mm2_per_mib": 0.26 / 0.33}) for name in NODES}
    with readings(monkeypatch, changed):
        yield


@pytest.mark.usefixtures("denser_sram")
def test_another_sram_density_is_documented() -> None:
    assert f"| SRAM as dense as NVDLA's | {documented(errors_of(lambda chip: chip))} |" in DOCS


# other laws of as few numbers


def left_out(terms: np.ndarray, fixed: np.ndarray) -> list[float]:
    """Errors of the seven chips left out, then of V100, P100 and MI100, when die = fixed + terms · numbers."""
    die = np.array([chip.die_mm2 for chip in (*CHIPS, *other_chips()[:3])])
    errors = []
    for i in range(len(die)):
        rest = [j for j in range(len(CHIPS)) if j != i]
        numbers, *_ = np.linalg.lstsq(terms[rest] / die[rest, None], 1 - fixed[rest] / die[rest], rcond=None)
        errors.append(float((fixed[i] + terms[i] @ numbers) / die[i] - 1))
    return errors


def sram_mm2(chip: KnownChip) -> float:
    """SRAM of a die without multiplier."""
    own = chips.own_technology(chip)
    plain = replace(own, area=replace(law(own), multiplier=1.0))
    parts = area_breakdown(chip.die, plain)
    return parts["tensor_sram"] + parts["vector_sram"] + parts["shared_sram"]


def other_laws() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """(what the fitted numbers multiply, what is fixed) of laws by their documented name."""
    everything = (*CHIPS, *other_chips()[:3])
    scaling, phy = np.array([chips._area_terms(chip) for chip in everything]).T
    stacks, ones = np.array([float(chip.stacks) for chip in everything]), np.ones(len(everything))
    sram, none = np.array([sram_mm2(chip) for chip in everything]), np.zeros(len(everything))
    return {
        "a · parts": (np.stack([scaling + phy], 1), none),
        "parts + c": (np.stack([ones], 1), scaling + phy),
        "scaling parts + b · PHYs": (np.stack([phy], 1), scaling),
        "scaling parts / 0.75 + b · PHYs": (np.stack([phy], 1), scaling / 0.75),
        "a · scaling parts + b · PHYs": (np.stack([scaling, phy], 1), none),
        "a · (scaling parts − SRAM) + SRAM + b · PHYs": (np.stack([scaling - sram, phy], 1), sram),
        "a · parts + c": (np.stack([scaling + phy, ones], 1), none),
        "a · parts + c · stacks": (np.stack([scaling + phy, stacks], 1), none),
        "**scaling parts + b · PHYs + c**": (np.stack([phy, ones], 1), scaling),
    }


def test_other_laws_are_documented() -> None:
    laws = other_laws()
    for label, (terms, fixed) in laws.items():
        assert f"| {label} | {terms.shape[1]} | {documented(left_out(terms, fixed))} |" in DOCS
    chosen = left_out(*laws["**scaling parts + b · PHYs + c**"])
    assert chosen == pytest.approx([row.error for row in area_rows() + other_area_rows()[:3]])


# the documentation


def test_documented_tables_are_those_of_the_model() -> None:
    for row in area_rows():
        line = (
            f"| {row.chip.name} | {row.chip.die_mm2:.0f} | {row.fitted_mm2:.0f} | {row.left_out_mm2:.0f} | "
            f"{100 * row.error:+.1f} % | {row.left_out_fit.phy_multiplier:.2f} | {row.left_out_fit.base_mm2:.0f} |"
        )
        assert line in DOCS
    for row in other_area_rows():
        line = f"| {row.chip.name} | {row.chip.die_mm2:.0f} | {row.fitted_mm2:.0f} | {100 * row.error:+.1f} % |"
        assert line in DOCS
    for figure in power_rows():
        name = "TDP, a limit; peak" if figure.chip.is_capped else figure.quantity
        line = f"| {figure.chip.name} | {name} | {figure.published_w:.0f} | {figure.left_out_w:.0f} | "
        assert f"{line}{100 * figure.error:+.0f} % |" in DOCS
