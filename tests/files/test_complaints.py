"""Complaints of pydantic in the words of the input, whichever version says them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from accmine.files.complaints import FieldsError, complaints_of, derived, plain_annotation


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")
    size: Annotated[int, Field(strict=True, ge=1)]
    kind: Literal["round", "square"] = "round"
    weight: Annotated[float, Field(strict=True)] | None = None


class Whole(BaseModel):
    model_config = ConfigDict(extra="forbid")
    parts: Annotated[tuple[Part, ...], Field(min_length=1)]
    by_name: dict[str, Part] = {}
    name: Annotated[str, Field(strict=True)] = ""
    ready: Annotated[bool, Field(strict=True)] = False

    @model_validator(mode="after")
    def _named(self) -> Whole:
        if self.name == "both":
            raise FieldsError([(("name",), "is taken"), (("parts", 0, "size"), "is too small for it")])
        if self.name == "bad":
            raise ValueError("no such name")
        return self


def said(data: Any) -> dict[str, str]:
    try:
        Whole.model_validate(data)
    except ValidationError as error:
        return {".".join(map(str, place)): message for place, _, message in complaints_of(error, Whole, data)}
    return {}


def test_what_is_right_is_not_complained_about() -> None:
    assert said({"parts": [{"size": 1, "weight": 2.5}], "by_name": {"x": {"size": 3}}, "ready": True}) == {}


@pytest.mark.parametrize(
    ("data", "place", "message"),
    [
        ({}, "parts", "is required"),
        ({"parts": [{}]}, "parts.0.size", "is required"),
        ({"parts": [{"size": "3"}]}, "parts.0.size", "must be a whole number, got '3'"),
        ({"parts": [{"size": 1.5}]}, "parts.0.size", "must be a whole number, got 1.5"),
        ({"parts": [{"size": True}]}, "parts.0.size", "must be a whole number, got True"),
        ({"parts": [{"size": 0}]}, "parts.0.size", "must be greater than or equal to 1, got 0"),
        ({"parts": [{"size": 1, "weight": "x"}]}, "parts.0.weight", "must be a number, got 'x'"),
        ({"parts": 3}, "parts", "must be a list, got 3"),
        ({"parts": [3]}, "parts.0", "must be a mapping of keys to values, got 3"),
        ({"parts": [{"size": 1}], "by_name": [1]}, "by_name", "must be a mapping of keys to values, got [1]"),
        ({"parts": [{"size": 1}], "name": 3}, "name", "must be text, got 3"),
        ({"parts": [{"size": 1}], "ready": "yes"}, "ready", "must be true or false, got 'yes'"),
        (
            {"parts": [{"size": 1, "kind": "squares"}]},
            "parts.0.kind",
            "must be one of round, square, got 'squares'; did you mean 'square'?",
        ),
        ({"parts": [{"size": 1, "kind": 7}]}, "parts.0.kind", "must be one of round, square, got 7"),
        (
            {"parts": [{"size": 1}], "by_name": {"x": {"size": 1, "sizes": 2}}},
            "by_name.x.sizes",
            "unknown key 'sizes'; did you mean 'size'? allowed: size, kind, weight",
        ),
        ({"parts": [{"size": 1}], "part": 1}, "part", "unknown key 'part'; did you mean 'parts'? allowed: parts, by_"),
        ({"parts": [{"size": 1}], "name": "bad"}, "", "no such name"),
    ],
)
def test_words_and_places(data: Any, place: str, message: str) -> None:
    found = said(data)
    assert list(found) == [place]
    assert found[place].startswith(message)


def test_an_empty_list_is_told_and_one_that_only_follows_is_not() -> None:
    assert list(said({"parts": []})) == ["parts"]
    assert list(said({"parts": [{"size": "x"}]})) == ["parts.0.size"]


def test_one_validator_may_complain_about_several_fields() -> None:
    found = said({"parts": [{"size": 1}], "name": "both"})
    assert found == {"name": "is taken", "parts.0.size": "is too small for it"}
    assert str(FieldsError([(("a", 0), "x"), ((), "y")])) == "a.0: x; : y"


def test_long_values_are_cut() -> None:
    message = said({"parts": [{"size": "x" * 500}]})["parts.0.size"]
    assert len(message) < 100
    assert message.endswith("…")


def test_the_key_is_meant_where_it_is_unknown() -> None:
    data = {"parts": [{"size": 1}], "part": 1}
    with pytest.raises(ValidationError) as error:
        Whole.model_validate(data)
    assert [key for _, key, _ in complaints_of(error.value, Whole, data)] == [True]


def test_annotations_without_what_pydantic_needs() -> None:
    assert plain_annotation(Annotated[int | None, Field(ge=1)]) is int
    assert plain_annotation(str) is str
    assert plain_annotation(tuple[int, ...]) == tuple[int, ...]


class Derived(BaseModel):
    size: Annotated[int, Field(strict=True)]
    double: int = Field(default_factory=derived(lambda data: 2 * data["size"]))
    triple: int = Field(default_factory=derived(lambda data: data["size"] + data["double"]))


def test_defaults_of_other_keys_are_computed_and_say_nothing_where_these_are_wrong() -> None:
    assert Derived.model_validate({"size": 2}).triple == 6
    assert Derived.model_validate({"size": 2, "double": 7}).triple == 9
    for data in ({}, {"size": "x"}):
        with pytest.raises(ValidationError) as error:
            Derived.model_validate(data)
        assert [place for place, _, _ in complaints_of(error.value, Derived, data)] == [("size",)]
