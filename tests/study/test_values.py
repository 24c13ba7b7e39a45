"""Values of a study: what is written in any way is kept in one, and what cannot be is refused with what can."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from accmine.study import values

ADAPTERS: dict[str, TypeAdapter[Any]] = {
    name: TypeAdapter(getattr(values, name)) for name in values.__all__ if name != "Axis"
}


def read(name: str, value: Any, **context: Any) -> Any:
    return ADAPTERS[name].validate_python(value, context=context)


AMOUNTS = st.integers(1, 10**6)


@given(AMOUNTS)
def test_equal_quantities_are_written_alike_and_stay_so(amount: int) -> None:
    for name, same in (
        ("AreaLimit", (f"{amount} mm^2", f"{amount}mm2")),
        ("BytesAxis", (f"{amount} GiB", f"{amount * 1024} MiB")),
        ("RateAxis", (f"{amount} GB/s", f"{amount * 1000} MB/s")),
        ("HertzAxis", (f"{amount} MHz", f"{amount * 1000} kHz")),
    ):
        one, other = (read(name, text) for text in same)
        assert one == other
        assert read(name, one) == one


@given(st.integers(1, 500), st.integers(0, 500))
def test_counts_are_numbers_ranges_or_lists(low: int, more: int) -> None:
    assert read("CountAxis", low) == low
    assert read("CountAxis", f" {low} .. {low + more} ") == f"{low}..{low + more}"
    assert read("CountAxis", [low, low + more + 1]) == (low, low + more + 1)
    assert read("CountAxis", None) is None
    if more:
        with pytest.raises(ValidationError, match="impossible range"):
            read("CountAxis", f"{low + more}..{low}")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("Count", True, "valid integer"),
        ("Count", 1.0, "valid integer"),
        ("Count", "1", "valid integer"),
        ("Count", -1, "greater than or equal to 0"),
        ("Count", 2**31, "less than or equal to"),
        ("PositiveCount", 0, "greater than or equal to 1"),
        ("Text", "", "at least 1 character"),
        ("Text", "two\nlines", "line breaks and control characters are not allowed"),
        ("Text", "\x1b[31mred", "line breaks and control characters are not allowed"),
        ("CountAxis", True, "must be a whole number, a range such as 1..64, or a list of numbers, got True"),
        ("CountAxis", 0, "must be at least 1, got 0"),
        ("CountAxis", [], "is an empty list"),
        ("CountAxis", [3, 3], "names 3 twice"),
        ("CountAxis", "x", "must be a whole number, a range"),
        ("DataflowAxis", "xs", "must be one of ws, os, is, flexible, or a list of them, got 'xs'"),
        ("DataflowAxis", ["ws", "ws"], "names 'ws' twice"),
        ("BytesAxis", "0 B", "must be above 0"),
        ("BytesAxis", "3 GHz", "GHz"),
        ("AreaLimit", "0 mm2", "or baseline .the baseline's own value., or none"),
        ("AreaLimit", "big", "or baseline .the baseline's own value., or none"),
        ("PowerLimit", "3 mm2", "or baseline"),
        ("MeasurementFile", "no.csv", "no such file: no.csv"),
        ("WorkloadName", "bert-larg", "did you mean 'bert-large'"),
        ("TechnologyName", "", "at least 1 character"),
    ],
)
def test_refusals(name: str, value: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        read(name, value)


def test_limits_have_two_words() -> None:
    for name in ("AreaLimit", "PowerLimit"):
        assert read(name, "baseline") == "baseline"
        assert read(name, "none") is None
        assert read(name, None) is None


def test_zero_stands_for_a_part_that_is_not_there() -> None:
    assert read("OptionalBytesAxis", ["0 B", "1 MiB"]) == (read("OptionalBytesAxis", "0 B"), read("BytesAxis", "1 MiB"))
    with pytest.raises(ValidationError):
        read("BytesAxis", ["0 B", "1 MiB"])


def test_files_are_found_beside_the_study_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside, here = tmp_path / "studies", tmp_path / "here"
    for folder in (beside, here):
        folder.mkdir()
        (folder / "m.csv").write_text("x")
    (here / "only.csv").write_text("x")
    monkeypatch.chdir(here)
    assert read("MeasurementFile", "m.csv", folder=beside) == str(beside / "m.csv")
    assert read("MeasurementFile", "m.csv") == str(here / "m.csv")
    assert read("MeasurementFile", "only.csv", folder=beside) == str(here / "only.csv")


NAMES = ["WorkloadName", "AcceleratorName", "TechnologyName", "ClusterName", "MeasurementFile"]


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", ["~no-such-user-here/x.yaml", "a\0/x.yaml", f"{'x' * 5000}/y.yaml"])
def test_names_that_no_file_can_have_are_refused(name: str, value: str, beside: bool, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"no file can have this name|control characters are not allowed"):
        read(name, value, **({"folder": tmp_path} if beside else {}))


def test_every_type_has_a_schema() -> None:
    for adapter in ADAPTERS.values():
        assert adapter.json_schema()
