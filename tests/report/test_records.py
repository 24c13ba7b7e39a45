"""Tables that people ask."""

from __future__ import annotations

import pytest

from accmine.report.records import records

TABLE = records([{"run": "a<b", "gap": 3.25, "note": "two\nlines"}, {"run": "c", "n": 1}])


def test_a_table_is_a_sequence_of_rows() -> None:
    assert TABLE.columns == ("run", "gap", "note", "n")
    assert len(TABLE) == 2
    assert [row["run"] for row in TABLE] == ["a<b", "c"]
    assert TABLE[1] == {"run": "c", "n": 1}
    assert TABLE[1:].column("gap") == [None]
    assert TABLE.to_json()[1] == {"run": "c", "gap": None, "note": None, "n": 1}
    assert TABLE.to_csv().splitlines()[-1] == "c,,,1"
    with pytest.raises(KeyError):
        TABLE.column("no")


def test_it_shows_itself() -> None:
    assert repr(TABLE) == "<Records: 2 rows of 4 columns: run, gap, note, n>"
    assert str(TABLE) == "run   gap  note       n\na<b  3.25  two lines\nc                     1"
    html = TABLE._repr_html_()
    assert "<td>a&lt;b</td>" in html
    assert html.count("<tr>") == 3
    many = records([{"i": i, "empty": None} for i in range(100)])._repr_html_()
    assert many.endswith("<p>and 40 more rows</p>")
    assert "empty" not in many


def test_a_data_frame() -> None:
    frame = TABLE.to_pandas()
    assert list(frame.columns) == list(TABLE.columns)
    assert frame["gap"].tolist()[0] == 3.25
    assert list(records([], ["a", "b"]).to_pandas().columns) == ["a", "b"]
