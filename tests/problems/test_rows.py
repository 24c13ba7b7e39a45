"""Objects with known keys, and all complaints at once."""

from __future__ import annotations

from accmine.problems.rows import Reader, join, near


def said(reader: Reader) -> list[tuple[str, str, str]]:
    return [(c.where, c.field, c.message) for c in reader.complaints]


def test_everything_that_is_wrong_is_said() -> None:
    reader = Reader("f:1:1")
    row = reader.mapping({"nam": 1, "size": [2]}, "a", ("name", "size"), ("name",))
    assert row == {"nam": 1, "size": [2]}
    assert reader.rows(row["size"], "a.size") == [2]
    assert reader.rows(3, "a.rows") == []
    assert reader.text("x", "a.text") == "x"
    assert reader.text(4, "") == ""
    assert reader.mapping([], "", ("name",)) == {}
    assert said(reader) == [
        ("f:1:1", "a.nam", "unknown key; did you mean 'name'? allowed: name, size"),
        ("f:1:1", "a.name", "missing"),
        ("f:1:1", "a.rows", "3 is not allowed; a list is needed"),
        ("f:1:1", "", "4 is not allowed; a text is needed"),
        ("f:1:1", "", "[] is not allowed; an object with name is needed"),
    ]


def test_paths_and_guesses() -> None:
    assert join("", "a") == "a"
    assert join("a", "b") == "a.b"
    assert near("pipline", {"pipeline": 1, "data": 2}) == "; did you mean 'pipeline'?"
    assert near("x", ["pipeline"]) == ""
