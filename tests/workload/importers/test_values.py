from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from accmine.workload.importers.values import LARGEST, Flag, Natural, Part, Rate, Size

ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers(), max_size=2)
)


ADAPTERS: dict[Any, TypeAdapter[Any]] = {kind: TypeAdapter(kind) for kind in (Size, Natural, Rate, Flag)}


def allowed(kind: Any, value: Any) -> bool:
    try:
        return bool(ADAPTERS[kind].validate_python(value) == value)
    except ValidationError:
        return False


@given(ANYTHING | st.integers(-2, 2) | st.sampled_from([LARGEST, LARGEST + 1, 0.0, 0.5, 1.0]))
def test_what_is_allowed(value: Any) -> None:
    whole = type(value) is int
    assert allowed(Size, value) == (whole and 1 <= value <= LARGEST)
    assert allowed(Natural, value) == (whole and 0 <= value <= LARGEST)
    assert allowed(Rate, value) == (type(value) in (int, float) and 0 <= value < 1)
    assert allowed(Flag, value) == (type(value) is bool)


def test_sizes_of_twenty_digits_are_refused_and_two_of_the_largest_fit_64_bits() -> None:
    assert not allowed(Size, 99999999999999999999)
    assert LARGEST**2 < 2**62


def test_a_part_is_frozen_and_holds_no_other_key() -> None:
    class Pair(Part):
        a: Size

    assert hash(Pair(a=1)) == hash(Pair(a=1))
    with pytest.raises(ValidationError):
        Pair.model_validate({"a": 1, "b": 2})
    with pytest.raises(ValidationError):
        Pair(a=1).a = 2
