"""Technology files: constants by node, bands, complaints, perturbed technologies, the tables of the documentation."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.files import names, resolve
from accmine.hardware import Design, PartsArea, TensorCore, load_accelerator
from accmine.hardware.technology import (
    Technology,
    area_breakdown,
    area_mm2,
    idle_w,
    load_technology,
    tdp_breakdown,
    tdp_w,
)

MIB = 1 << 20
TECHNOLOGIES = {name: load_technology(name) for name in names("technologies")}
TPU, PHAZE = TECHNOLOGIES["tpu-16nm"], TECHNOLOGIES["phaze-22nm"]
NODES = (45, 28, 22, 16, 7, 5)
BY_NODE = {node: TECHNOLOGIES[f"accelerator-{node}nm"] for node in NODES}
V2, V3 = load_accelerator("tpuv2-like"), load_accelerator("tpuv3-like")
DOCS = Path(__file__).parents[3] / "docs" / "technology.md"


def value_of(technology: Technology, name: str) -> Any:
    section, _, constant = name.partition(".")
    return getattr(getattr(technology, section), constant)


# constants by node


def between(node: float, low: float, high: float, at_low: float, at_high: float) -> float:
    """A power of the feature size through two of its values."""
    return float(at_low * (at_high / at_low) ** (math.log(low / node) / math.log(low / high)))


def density(node: int) -> float:
    """Logic density in MTr/mm2: ttm-cas's, scaled to 45 nm and interpolated to 22 nm."""
    listed = {28: 15.3, 16: 28.9, 7: 96.3, 5: 171.3, 45: 7.7 * (40 / 45) ** 2}
    return listed.get(node) or between(node, 28, 16, listed[28], listed[16])


def bit_cell_um2(node: int) -> float:
    listed = {45: 0.296, 28: 0.127, 16: 0.074, 7: 0.027, 5: 0.021}
    return listed.get(node) or between(node, 28, 16, listed[28], listed[16])


ENERGIES = {
    "mac_int8_pj": ((0.2, 0.07), (0.1, 0.03)),
    "mac_bf16_pj": ((1.7, 0.59),),
    "mac_fp16_pj": ((1.1, 0.34), (0.9, 0.38)),
    "mac_fp32_pj": ((0.9, 0.38), (3.7, 1.31)),
    "vector_op_fp32_pj": ((0.45, 0.19), (1.85, 0.655)),
    "sram_8kib_pj_per_byte": ((10 / 8, 7.5 / 8),),
    "sram_32kib_pj_per_byte": ((20 / 8, 8.5 / 8),),
    "sram_1mib_pj_per_byte": ((100 / 8, 14 / 8),),
}
"""Published (45 nm, 7 nm) energies whose sum a constant is."""


@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize("name", ENERGIES)
def test_energies_are_the_interpolation_that_the_files_name(node: int, name: str) -> None:
    expected = sum(between(node, 45, 7, at_45, at_7) for at_45, at_7 in ENERGIES[name])
    assert getattr(BY_NODE[node].power, name) == pytest.approx(expected, rel=0.006)
    if node == 16:
        assert getattr(TPU.power, name) == pytest.approx(expected, rel=0.006)


@pytest.mark.parametrize("node", NODES)
def test_areas_are_the_transistor_counts_that_the_files_name(node: int) -> None:
    law = BY_NODE[node].area
    assert isinstance(law, PartsArea)
    transistors = {
        "mac_um2": 25.3e3,
        "register_um2_per_bit": 28,
        "vector_alu_um2": 134e3,
        "hbm_controller_mm2_per_stack": 552.743,
        "network_port_mm2": 44.3,
        "uncore_mm2": 248 / 25 * 74.6,
        "flexible_pe_um2": 34 * 28 + 128 * 12,
        "port_um2_per_byte_per_cycle": 302 * 28.9,
        "tensor_overhead_mm2": 0.24 * 28.9,
        "vector_overhead_mm2": 0.24 * 28.9,
    }
    for name, count in transistors.items():
        assert getattr(law, name) == pytest.approx(count / density(node), rel=0.006), name
    assert law.sram_mm2_per_mib == pytest.approx(bit_cell_um2(node) * 8 * MIB * 1e-6 / 0.26, rel=0.006)
    assert law.io_phy_mm2 == pytest.approx(248 / 25 * 1.888 + 16 * 0.48, rel=0.006)
    if node == 16:
        assert isinstance(TPU.area, PartsArea)
        for name in transistors.keys() - {"uncore_mm2"}:
            assert getattr(TPU.area, name) == pytest.approx(getattr(law, name), rel=0.006), name


@settings(max_examples=10, deadline=None)
@given(st.sampled_from(list(pairwise(NODES))), st.sampled_from(["tpuv2-like", "nvdla-like", "tpuv1"]))
def test_smaller_nodes_are_smaller_and_cooler(nodes: tuple[int, int], design: str) -> None:
    large, small = (BY_NODE[node] for node in nodes)
    chip = replace(load_accelerator(design), frequency_hz=700_000_000)
    assert area_mm2(chip, small) < area_mm2(chip, large)
    assert tdp_w(chip, small) < tdp_w(chip, large)
    assert idle_w(chip, small) < idle_w(chip, large)


@pytest.mark.parametrize("name", sorted(TECHNOLOGIES))
def test_shipped_constants_have_unit_source_and_band(name: str) -> None:
    data = yaml.safe_load(resolve("technologies", name).read_text(encoding="utf-8"))
    entries = [data["node_nm"]]
    entries += [
        entry
        for section in (data["area"], data["power"] or {})
        for entry in section.values()
        if entry != data["area"]["law"]
    ]
    assert len(entries) == len(TECHNOLOGIES[name].constants)
    for entry in entries:
        assert set(entry) == {"value", "unit", "band", "source"}
        assert 0 <= entry["band"] < 1
        assert len(entry["source"]) > 5
    # what somebody measured or estimated is not exact
    for item in TECHNOLOGIES[name].constants:
        if re.search("estimate|Horowitz|LLMCompass|fitted", item.source) and not item.name.endswith("relative_error"):
            assert item.band > 0, item.name


# perturbed technologies


@settings(deadline=None)
@given(st.data())
def test_perturbed_changes_what_it_names_and_nothing_else(data: st.DataObject) -> None:
    technology = TECHNOLOGIES[data.draw(st.sampled_from(sorted(TECHNOLOGIES)))]
    known = [item.name for item in technology.constants if "." in item.name]
    factors = data.draw(st.dictionaries(st.sampled_from(known), st.floats(0.1, 10)))
    changed = technology.perturbed(factors)
    assert changed.constants == technology.constants
    for name in known:
        before, after, factor = value_of(technology, name), value_of(changed, name), factors.get(name, 1.0)
        if isinstance(before, Mapping):
            assert after == {key: entry * factor for key, entry in before.items()}
        else:
            assert after == before * factor
    assert technology == TECHNOLOGIES[technology.name]


def test_perturbed_reaches_area_and_power() -> None:
    assert area_mm2(V2, TPU.perturbed({"area.uncore_mm2": 1.1})) == pytest.approx(611 + 35.0, abs=0.01)
    assert tdp_w(V2, TPU.perturbed({"power.tdp_margin": 2})) == pytest.approx(2 * tdp_w(V2, TPU))
    assert TPU.perturbed({"power.link_pj_per_bit": 2}).link_pj_per_byte == 2 * TPU.link_pj_per_byte == 128


def test_perturbed_refuses_unknown_names_and_impossible_factors() -> None:
    wrong = {"power.hbm_pj_per_bytes": 1.1, "node_nm": 1.1, "area.mac_um2": 0, "power.tdp_margin": math.nan, "mac": 1}
    with pytest.raises(InputError) as caught:
        TPU.perturbed(wrong)
    by_field = {item.field: item.message for item in caught.value.complaints}
    assert set(by_field) == set(wrong)
    assert "did you mean 'power.hbm_pj_per_byte'" in by_field["power.hbm_pj_per_bytes"]
    assert "above 0" in by_field["area.mac_um2"]
    with pytest.raises(InputError, match="phaze-22nm has no such constant"):
        PHAZE.perturbed({"power.hbm_pj_per_byte": 1.1})


# files


def changed(tmp_path: Path, change: Any) -> Path:
    data = yaml.safe_load(resolve("technologies", "tpu-16nm").read_text(encoding="utf-8"))
    change(data)
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return path


def test_a_user_technology_is_read_and_used(tmp_path: Path) -> None:
    def change(data: Any) -> None:
        data["area"]["uncore_mm2"]["value"] += 100

    assert area_mm2(V2, load_technology(changed(tmp_path, change))) == pytest.approx(711, abs=0.01)


def test_every_complaint_at_once_with_its_place(tmp_path: Path) -> None:
    def change(data: Any) -> None:
        del data["area"]["mac_um2"]
        del data["power"]["tdp_margin"]["source"]
        data["area"]["sram_mm2_per_mib"]["unit"] = "mm2"
        data["area"]["network_port_mm2"]["value"] = "much"
        data["power"]["hbm_pj_per_byte"]["value"] = -1
        data["power"]["sram_1mib_pj_per_byte"]["band"] = 1.0
        data["area"]["vector_alu_um2"]["band"] = "some"
        data["power"]["mac_int4_pj"] = {"value": 1, "unit": "pJ", "source": "no such constant"}

    path = changed(tmp_path, change)
    with pytest.raises(InputError) as caught:
        load_technology(path)
    by_field = {item.field: item for item in caught.value.complaints}
    assert set(by_field) == {
        "area.mac_um2",
        "power.tdp_margin",
        "area.sram_mm2_per_mib.unit",
        "area.network_port_mm2.value",
        "power.hbm_pj_per_byte.value",
        "power.mac_int4_pj",
        "power.sram_1mib_pj_per_byte.band",
        "area.vector_alu_um2.band",
    }
    assert "missing constant" in by_field["area.mac_um2"].message
    assert "must be mm2/MiB" in by_field["area.sram_mm2_per_mib.unit"].message
    assert all(item.where.startswith(f"{path}:") for item in caught.value.complaints)


@pytest.mark.parametrize("name", ["area", "power", "node_nm", "name"])
def test_a_missing_section_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError) as caught:
        load_technology(changed(tmp_path, lambda data: data.pop(name)))
    assert any(item.field.startswith(name) for item in caught.value.complaints)


def test_impossible_values_are_refused(tmp_path: Path) -> None:
    def change(data: Any) -> None:
        data["area"]["hbm_stack_bytes"]["value"] = 0
        data["power"]["sram_8kib_pj_per_byte"]["value"] = 100
        data["power"]["frequency_max_hz"]["value"] = 0
        data["power"]["tdp_margin"]["value"] = 0

    with pytest.raises(InputError) as caught:
        load_technology(changed(tmp_path, change))
    assert {item.field for item in caught.value.complaints} == {
        "area.hbm_stack_bytes.value",
        "power",
        "power.frequency_max_hz.value",
        "power.tdp_margin.value",
    }


def test_unknown_technology_names_the_known() -> None:
    with pytest.raises(InputError, match="phaze-22nm, tpu-16nm, tpu-16nm-multiplier"):
        load_technology("tpu-17nm")


def test_without_a_band_the_error_of_the_section_counts(tmp_path: Path) -> None:
    def change(data: Any) -> None:
        for section in ("area", "power"):
            for name, entry in data[section].items():
                if name not in ("law", "uncore_mm2"):
                    del entry["band"]

    bands = {item.name: item.band for item in load_technology(changed(tmp_path, change)).constants}
    assert bands["area.mac_um2"] == bands["area.hbm_stack_bytes"] == 0.25
    assert bands["power.hbm_pj_per_byte"] == 0.3
    assert bands["area.uncore_mm2"] == 0.25
    assert bands["area.relative_error"] == bands["power.relative_error"] == bands["node_nm"] == 0


def test_errors_of_area_and_tdp() -> None:
    assert (TPU.area_error, TPU.tdp_error) == (0.25, 0.3)
    assert (BY_NODE[7].area_error, BY_NODE[7].tdp_error) == (0.25, 0.4)
    assert (PHAZE.area_error, PHAZE.tdp_error) == (None, None)


# the documentation

UNITS = {"mm2": "mm²", "um2": "µm²", "um2/bit": "µm²/bit", "W/mm2": "W/mm²", "mm2/MiB": "mm²/MiB"}
UNITS["um2/(B/cycle)"] = "µm²/(B/cycle)"


def number(value: float) -> str:
    return f"{value:,.12g}"


def percent(model: float, published: float) -> str:
    return f"{100 * (model / published - 1):+.1f} %"


def parts_table(parts: dict[str, float], unit: str) -> str:
    total = sum(parts.values())
    return "\n".join(
        f"| `{name}` | {value:.1f} {unit} | {100 * value / total:.0f} % |" for name, value in parts.items()
    )


def constants_table(technology: Technology, section: str) -> str:
    rows = []
    for item in technology.constants:
        where, _, name = item.name.partition(".")
        if where == section:
            value, unit = number(value_of(technology, item.name)), UNITS.get(item.unit, item.unit)
            rows.append(f"| `{name}` | {value} | {unit} | {item.band:g} | {item.source} |")
    return "\n".join(rows)


def nodes_table() -> str:
    rows = []
    bands = {node: {item.name: item.band for item in technology.constants} for node, technology in BY_NODE.items()}
    for item in BY_NODE[16].constants:
        if "." in item.name:
            values = " | ".join(number(value_of(BY_NODE[node], item.name)) for node in NODES)
            ends, inner = bands[7][item.name], bands[16][item.name]
            band = f"{ends:g}" if ends == inner else f"{ends:g} ({inner:g})"
            unit = UNITS.get(item.unit, item.unit)
            rows.append(f"| `{item.name.partition('.')[2]}` | {unit} | {values} | {band} |")
    return "\n".join(rows)


def tpuv3_table() -> str:
    columns = [TPU, TECHNOLOGIES["tpu-16nm-multiplier"], BY_NODE[16]]
    step: Any = lambda technology: area_mm2(V3, technology) - area_mm2(V2, technology)  # noqa: E731
    figures: list[tuple[str, float, Any]] = [
        ("TPUv2 die, mm²", 611, lambda technology: area_mm2(V2, technology)),
        ("TPUv3 die, mm²", 648, lambda technology: area_mm2(V3, technology)),
        ("step TPUv2 → TPUv3 (two arrays), mm²", 37, step),
        ("TPUv2 TDP, W", 280, lambda technology: tdp_w(V2, technology)),
        ("TPUv3 TDP, W", 450, lambda technology: tdp_w(V3, technology)),
        ("TPUv2 idle, W", 53, lambda technology: idle_w(V2, technology)),
        ("TPUv3 idle, W", 123, lambda technology: idle_w(V3, technology)),
        ("TPUv3 without margin, W (measured maximum)", 262, lambda t: tdp_w(V3, t) / t.tdp_margin),
    ]
    rows = []
    for label, published, model in figures:
        cells = " | ".join(f"{model(t):.1f} | {percent(model(t), published)}" for t in columns)
        rows.append(f"| {label} | {published} | {cells} |")
    return "\n".join(rows)


def document_parts() -> dict[str, str]:
    """Tables of docs/technology.md by the name of their place."""
    return {
        "AREAPARTS": parts_table(area_breakdown(V2, TPU), "mm²"),
        "TDPPARTS": parts_table(tdp_breakdown(V2, TPU), "W"),
        "TPUAREA": constants_table(TPU, "area"),
        "TPUPOWER": constants_table(TPU, "power"),
        "NODES": nodes_table(),
        "TPUV3": tpuv3_table(),
    }


@pytest.mark.parametrize("place", sorted(document_parts()))
def test_documented_tables_are_those_of_the_files(place: str) -> None:
    assert document_parts()[place] in DOCS.read_text(encoding="utf-8")


def test_documentation_names_every_constant_and_technology() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for technology in TECHNOLOGIES.values():
        for item in technology.constants:
            assert f"`{item.name.rpartition('.')[2]}`" in text
    for name in names("technologies"):
        assert f"`{name}`" in text or f"`-{name.rpartition('-')[2]}`" in text


def test_documented_port_costs() -> None:
    """What TPUv3 would be without network ports, as the documentation says."""
    without = TPU.perturbed({"area.network_port_mm2": 1e-9})

    def refitted(design: Design) -> float:
        return 611 + area_mm2(design, without) - area_mm2(V2, without)

    assert f"{refitted(V3):.1f} mm² ({percent(refitted(V3), 648)})" in DOCS.read_text(encoding="utf-8")


def test_constants_of_few_nodes_may_be_left_out_and_are_checked_where_given(tmp_path: Path) -> None:
    assert TPU.need_power().mac_fp8_pj is None
    seven = load_technology("accelerator-7nm")
    assert "power.mac_fp8_pj" in {item.name for item in seven.constants}
    assert 0 < seven.mac_pj("int8") < seven.mac_pj("fp8") < seven.mac_pj("bf16") < seven.mac_pj("tf32")
    assert load_technology("accelerator-5nm").mac_pj("fp8") < seven.mac_pj("fp8")

    def change(data: Any) -> None:
        data["power"]["mac_fp8_pj"] = {"value": -1, "unit": "J", "source": " "}
        del data["area"]["further_type_share"]

    with pytest.raises(InputError) as caught:
        load_technology(changed(tmp_path, change))
    assert [item.field for item in caught.value.complaints] == [
        f"power.mac_fp8_pj.{x}" for x in ("unit", "source", "value")
    ]


def test_types_that_a_technology_does_not_know_are_refused_with_its_name() -> None:
    core = TensorCore(8, 8, 1024, "ws", (("fp8", 2.0),))
    load_technology("accelerator-7nm").need_types(core)
    with pytest.raises(InputError, match="technology tpu-16nm: no energy of a multiply-accumulate in fp8"):
        TPU.need_types(core)
    with pytest.raises(InputError, match="technology phaze-22nm: Phaze's area law has no arrays that state"):
        PHAZE.need_types(core)
    TPU.need_types(core.plain)
