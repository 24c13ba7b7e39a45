"""What accelerator files say beside their tunables, and what the shipped ones say."""

from __future__ import annotations

import pytest

from accmine.errors import InputError
from accmine.files import load_yaml, names
from accmine.hardware import (
    chosen,
    dump_design,
    facts_of,
    load_accelerator,
    needs,
    read_accelerator,
    refuse_anchor,
    template_of,
)
from accmine.hardware.technology import load_technology

DESIGN = dump_design(load_accelerator("tpuv2-like"))
CHIPS = {
    "v100": 125.3,
    "a100-40gb": 311.9,
    "a100-80gb": 311.9,
    "h100": 989.4,
    "h200": 989.4,
    "b200": 2250,
    "mi210": 181.0,
    "mi300x": 1307.4,
    "tpuv4": 275.3,
    "tpuv5e": 196.6,
    "tpuv5p": 458.8,
    "trainium": 190,
}
"""Published dense bf16 peaks (fp16 of V100) in TFLOP/s."""


@pytest.mark.parametrize("name", names("accelerators"))
def test_shipped_files_say_whether_they_are_calibrated_and_where_numbers_are_from(name: str) -> None:
    data = read_accelerator(name).data
    assert data["calibrated"] in ((True, "relative") if "calibration" in data else (False,))
    if data["calibrated"] == "relative":
        assert data["calibration"]["source"].startswith("not measured")
    assert data["name"] == name
    assert len(data["sources"]) >= 2
    assert all(isinstance(source, str) for source in data["sources"])


@pytest.mark.parametrize("name", CHIPS)
def test_chips_have_their_published_peak_and_a_technology_that_covers_them(name: str) -> None:
    document = read_accelerator(name)
    design, facts = load_accelerator(name, timed=True), facts_of(document)
    assert design.peak_flops_per_s / 1e12 == pytest.approx(CHIPS[name], rel=2e-3)
    technology, why = chosen([facts.technology], lambda other: needs(design, other))
    assert technology.name == facts.technology
    assert why
    needs(design, technology)


PUBLISHED = [
    ("a100-80gb", "tf32", 156.0),
    ("a100-80gb", "int8", 624.0),
    ("a100-80gb", "fp32", 19.5),
    ("h100", "fp8", 1978.9),
    ("h100", "tf32", 494.7),
    ("b200", "fp8", 4500.0),
    ("mi210", "fp32", 45.3),
    ("mi300x", "tf32", 653.7),
    ("mi300x", "fp32", 163.4),
    ("tpuv5e", "int8", 393.0),
    ("trainium", "fp32", 47.5),
    ("v100", "fp32", 15.7),
]


@pytest.mark.parametrize(("name", "dtype", "tera"), PUBLISHED)
def test_rates_are_the_published_ones(name: str, dtype: str, tera: float) -> None:
    assert (load_accelerator(name).flops_per_s(dtype) or 0) / 1e12 == pytest.approx(tera, rel=5e-3)


@pytest.mark.parametrize(("name", "instead"), [("h100-like", "h100"), ("a100-like", "a100-40gb"), ("tpuv1", "tpuv2")])
def test_an_anchor_is_refused_where_times_are_asked_for(name: str, instead: str) -> None:
    assert load_accelerator(name).peak_flops_per_s > 0
    with pytest.raises(InputError, match=rf"{name} is an anchor of a published peak only.*; take {instead}"):
        load_accelerator(name, timed=True)
    with pytest.raises(InputError, match="is an anchor"):
        refuse_anchor(read_accelerator(name))
    refuse_anchor(read_accelerator(facts_of(read_accelerator(name)).instead))


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ("calibrated: yes", "f:1:13: calibrated: must be no: the file has no section calibration"),
        ("calibrated: relative", "f:1:13: calibrated: must be no: the file has no section calibration"),
        ("calibrated: maybe", "f:1:13: calibrated: must be no"),
        ("anchor: peek\ninstead: h100", "f:1:9: anchor: unknown anchor 'peek'; allowed: peak"),
        ("anchor: peak", "f:1:9: anchor: anchor and instead come together"),
        ("instead: h100", "f:1:10: instead: anchor and instead come together"),
        ("anchor: peak\ninstead: h101", "f:2:10: instead: must be one of a100-40gb, "),
        ("technology: accelerator-6nm", "f:1:13: technology: must be one of accelerator-16nm, "),
        ("technology: [1]", "f:1:13: technology: must be one of"),
    ],
)
def test_wrong_facts_are_refused_at_their_place(lines: str, complaint: str) -> None:
    with pytest.raises(InputError) as caught:
        template_of(load_yaml(text=f"{lines}\n{DESIGN}", name="f"))
    (line,) = map(str, caught.value.complaints)
    assert line.startswith(complaint)


def test_a_file_with_a_calibration_says_whose() -> None:
    text = dump_design(load_accelerator("a100-80gb-like"))
    for word in ("no", "maybe"):
        with pytest.raises(
            InputError, match=r"calibrated: must be yes, or relative: the file has a section calibration"
        ):
            template_of(load_yaml(text=f"calibrated: {word}\n{text}", name="f"))
    for word in ("yes", "relative"):
        assert facts_of(load_yaml(text=f"calibrated: {word}\n{text}", name="f")).calibrated == word
    assert facts_of(load_yaml(text=text, name="f")).calibrated == "yes"


def test_the_technology_is_the_default_the_one_named_or_the_oldest_node_that_covers() -> None:
    slow, fast = load_accelerator("tpuv2-like"), load_accelerator("a100-80gb-like")
    assert chosen(["accelerator-5nm"], lambda other: needs(slow, other)) == (load_technology("tpu-16nm"), "")
    for named, expected in (
        (["accelerator-7nm"], "accelerator-7nm"),
        (["", "accelerator-28nm", "accelerator-5nm"], "accelerator-5nm"),
        ([], "accelerator-16nm"),
    ):
        technology, why = chosen(named, lambda other: needs(fast, other))
        assert technology.name == expected
        assert "a clock of 1410 MHz: the energies of tpu-16nm hold up to 940 MHz" in why
