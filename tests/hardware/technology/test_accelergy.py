"""Technologies from Accelergy's tables: what is overridden, what is not, and every refusal with its place."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import Complaint, InputError
from accmine.files import resolve
from accmine.hardware import PartsArea, files_read, load_accelerator
from accmine.hardware.technology import Technology, area_mm2, load_technology, tdp_w
from accmine.hardware.technology.accelergy import _sram_energies

SAMPLE = Path(__file__).parents[2] / "data" / "accelergy"
BASE = load_technology("accelerator-22nm")
TABLES = load_technology(SAMPLE / "technology.yaml")
MIB = 1 << 20


def law(technology: Technology) -> PartsArea:
    assert isinstance(technology.area, PartsArea)
    return technology.area


def changed(folder: Path, change: Callable[[dict[str, Any]], object], name: str = "technology.yaml") -> Path:
    """A copy of the sample in which one file is changed; returns its technology file."""
    for file in SAMPLE.iterdir():
        if not (folder / file.name).exists():
            shutil.copy(file, folder)
    data = yaml.safe_load((folder / name).read_text(encoding="utf-8"))
    change(data)
    (folder / name).write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return folder / "technology.yaml"


def refused(path: Path) -> dict[str, Complaint]:
    with pytest.raises(InputError) as caught:
        load_technology(path)
    assert all(item.where for item in caught.value.complaints)
    return {item.field: item for item in caught.value.complaints}


def components(change: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, Any]], object]:
    return lambda data: change(data["accelergy"]["components"])


# what the tables say


def test_energies_and_areas_of_the_tables_override_the_base() -> None:
    power, base = TABLES.need_power(), BASE.need_power()
    assert power.mac_pj("bf16") == 1.25
    assert power.vector_op_fp32_pj == 2.5
    assert power.hbm_pj_per_byte == 320 / 8
    assert power.sram_pj_per_byte(MIB) == pytest.approx((60 + 80) / 2 / 16)
    assert power.sram_pj_per_byte(16 << 10) == pytest.approx((10 + 12) / 2 / 8)
    assert law(TABLES).mac_um2 == 900
    assert law(TABLES).vector_alu_um2 == 5000
    assert law(TABLES).register_um2_per_bit == 1.0
    assert law(TABLES).sram_mm2_per_mib == pytest.approx(2.6)
    for name in ("mac_int8_pj", "mac_fp32_pj", "link_pj_per_bit", "tdp_margin", "leakage_w_per_mm2"):
        assert getattr(power, name) == getattr(base, name)
    assert law(TABLES).network_port_mm2 == law(BASE).network_port_mm2
    assert TABLES.node_nm == BASE.node_nm


def test_sources_and_bands_say_what_came_from_the_tables() -> None:
    before = {item.name: item for item in BASE.constants}
    for item in TABLES.constants:
        if "(Accelergy)" in item.source:
            assert item.band == 0.3
        else:
            assert item == before[item.name]
    sources = {item.name: item.source for item in TABLES.constants}
    assert sources["power.mac_bf16_pj"] == "component chip.PE.mac of ERT.yaml (Accelergy)"
    assert sources["area.mac_um2"] == "component chip.PE.mac of ART.yaml (Accelergy)"
    assert "chip.scratchpad" in sources["power.sram_8kib_pj_per_byte"]
    assert "chip.small" in sources["power.sram_8kib_pj_per_byte"]


def test_designs_cost_what_the_tables_say() -> None:
    design = load_accelerator("tpuv2-like")
    assert area_mm2(design, TABLES) < area_mm2(design, BASE)
    changed_terms = ("area.mac_um2", "area.register_um2_per_bit", "area.vector_alu_um2", "area.sram_mm2_per_mib")
    ratios = {name: getattr(law(TABLES), name[5:]) / getattr(law(BASE), name[5:]) for name in changed_terms}
    assert area_mm2(design, TABLES) == pytest.approx(area_mm2(design, BASE.perturbed(ratios)))
    assert tdp_w(design, TABLES) != tdp_w(design, BASE)


@settings(deadline=None)
@given(st.integers(10, 26), st.floats(0.1, 10))
def test_one_sram_scales_the_curve_of_the_base(exponent: int, factor: float) -> None:
    power = BASE.need_power()
    size = 1 << exponent
    for name, value in _sram_energies(power, {size: factor * power.sram_pj_per_byte(size)}).items():
        assert value == pytest.approx(factor * getattr(power, name))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(14, 20), st.floats(0.9, 1.1)), min_size=1, max_size=2, unique_by=lambda x: x[0]))
def test_sram_curve_meets_what_is_given(given_sizes: list[tuple[int, float]]) -> None:
    power = BASE.need_power()
    energies = {1 << exponent: factor * power.sram_pj_per_byte(1 << exponent) for exponent, factor in given_sizes}
    curve = replace(power, **_sram_energies(power, energies))
    for size, value in energies.items():
        assert curve.sram_pj_per_byte(size) == pytest.approx(value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["sram"].append({**c["sram"][0], "size": "4 MiB", "width": "4 B"}), "give fewer sizes"),
        (lambda c: c["sram"][1].update(width="1 B"), "must not fall with the size"),
    ],
)
def test_sram_energies_that_no_curve_has_are_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    assert message in refused(changed(tmp_path, components(change)))["accelergy.components.sram"].message


def test_without_areas_those_of_the_base_hold(tmp_path: Path) -> None:
    def change(data: dict[str, Any]) -> None:
        del data["accelergy"]["art"]
        del data["accelergy"]["components"]["register"]

    technology = load_technology(changed(tmp_path, change))
    assert technology.area == BASE.area
    assert technology.power == TABLES.power


def test_files_of_a_technology_are_known(tmp_path: Path) -> None:
    """What a run's identity has to hash: the tables and a base of one's own, not what is shipped."""
    assert files_read(SAMPLE / "technology.yaml") == tuple(
        (SAMPLE / name).resolve() for name in ("technology.yaml", "ERT.yaml", "ART.yaml")
    )
    shutil.copy(resolve("technologies", "accelerator-22nm"), tmp_path / "own.yaml")
    path = changed(tmp_path, lambda data: data.update(base="own.yaml"))
    assert load_technology(path).area == TABLES.area
    assert files_read(path) == tuple(
        tmp_path / name for name in ("technology.yaml", "ERT.yaml", "ART.yaml", "own.yaml")
    )
    assert files_read(tmp_path / "own.yaml") == (tmp_path / "own.yaml",)


# refusals


@pytest.mark.parametrize(
    ("component", "message"),
    [
        ("broken.zero", "above 0"),
        ("broken.negative", "got -3"),
        ("broken.huge", "at most 1e+09 pJ, got 1.6e+17"),
        ("broken.text", "got 'lots'"),
        ("placeholder.mac", "exactly 1"),
        ("chip.PE.mic", "did you mean 'chip.PE.mac'"),
    ],
)
def test_failed_estimates_and_unknown_components_are_refused(tmp_path: Path, component: str, message: str) -> None:
    def change(data: dict[str, Any]) -> None:
        del data["accelergy"]["art"]
        data["accelergy"]["components"] = {"mac_bf16": component}

    (complaint,) = refused(changed(tmp_path, change)).values()
    assert message in complaint.message
    assert complaint.where.startswith(str(tmp_path / "technology.yaml:"))


def test_an_energy_of_one_among_others_is_believed(tmp_path: Path) -> None:
    path = changed(tmp_path, components(lambda c: c.update(mac_bf16={"component": "placeholder.mac"})))
    assert load_technology(path).mac_pj("bf16") == 1


def test_an_area_of_zero_is_refused(tmp_path: Path) -> None:
    path = changed(tmp_path, components(lambda c: c.update(vector_op_fp32="broken.zero")))
    messages = [item.message for item in refused(path).values()]
    assert any("area must be a number above 0" in message for message in messages)


def test_every_complaint_at_once(tmp_path: Path) -> None:
    def change(data: dict[str, Any]) -> None:
        parts = data["accelergy"]["components"]
        parts["sram"][0].pop("arguments")
        parts["sram"][1].pop("size")
        parts["dram"]["width"] = 64
        parts["mac_fp16"] = {"component": "chip.PE.mac", "actions": ["multiply"]}
        parts["mac_int4"] = "chip.PE.mac"
        parts["vector_op_fp32"] = {"component": "chip.vector.alu", "energy": 3}

    found = refused(changed(tmp_path, change))
    expected = {
        "accelergy.components.sram.0": "2 entries of different energy",
        "accelergy.components.sram.1": "needs size",
        "accelergy.components.dram.width": "no unit",
        "accelergy.components.mac_fp16.actions": "no action 'multiply'; it has compute, idle",
        "accelergy.components.mac_int4": "unknown key; did you mean 'mac_int8'",
        "accelergy.components.vector_op_fp32.energy": "unknown key",
    }
    assert set(found) == set(expected)
    for place, message in expected.items():
        assert message in found[place].message


def test_two_srams_of_one_size_are_refused(tmp_path: Path) -> None:
    path = changed(tmp_path, components(lambda c: c["sram"][1].update(size="1 MiB")))
    assert "same size" in refused(path)["accelergy.components.sram.1"].message


def test_two_actions_have_to_be_named(tmp_path: Path) -> None:
    path = changed(tmp_path, components(lambda c: c["dram"].pop("actions")))
    assert "needs actions, one or a list of read, write" in refused(path)["accelergy.components.dram"].message


@pytest.mark.parametrize("base", [None, "phaze-22nm", "accelerator-23nm", "technology.yaml"])
def test_everything_that_is_not_mapped_needs_a_base(tmp_path: Path, base: str | None) -> None:
    path = changed(tmp_path, lambda data: data.update(base=base) if base else data.pop("base"))
    message = refused(path)["base"].message
    parts = {
        None: "everything that is not mapped",
        "phaze-22nm": "no sum-of-parts area or no power",
        "accelerator-23nm": "unknown technology 'accelerator-23nm'; did you mean",
        "technology.yaml": "is itself made of tables",
    }
    assert parts[base] in message


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("ERT.yaml", lambda data: data["ERT"].update(unit="nJ"), "must be in pJ, got 'nJ'"),
        ("ART.yaml", lambda data: data["ART"].update(unit="mm2"), "must be in um2, got 'mm2'"),
        ("ERT.yaml", lambda data: data["ERT"].update(tables={}), "must hold ERT"),
        ("ART.yaml", lambda data: data.update(ART=None), "must hold ART"),
        ("ERT.yaml", lambda data: data["ERT"]["tables"][0].pop("actions"), "needs actions"),
        ("ERT.yaml", lambda data: data["ERT"]["tables"][1].pop("name"), "needs a name"),
        ("technology.yaml", lambda data: data["accelergy"].update(ert="none.yaml"), "none.yaml"),
        ("technology.yaml", lambda data: data["accelergy"].pop("ert"), "needs ert"),
        ("technology.yaml", lambda data: data["accelergy"].pop("band"), "error of the tables"),
        ("technology.yaml", lambda data: data["accelergy"].pop("components"), "must be a mapping"),
        ("technology.yaml", lambda data: data["accelergy"].update(components={}), "maps no component"),
        ("technology.yaml", lambda data: data["accelergy"].update(components=["mac"]), "must be a mapping"),
        ("technology.yaml", lambda data: data.update(accelergy="ERT.yaml"), "must be a mapping"),
        ("technology.yaml", lambda data: data.pop("name"), "must be a text"),
        ("technology.yaml", lambda data: data.update(power={}), "unknown key"),
        ("technology.yaml", lambda data: data["accelergy"].pop("art"), "needs accelergy.art"),
    ],
)
def test_wrong_files_are_refused(tmp_path: Path, file: str, change: Callable[[Any], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_technology(changed(tmp_path, change, file))
