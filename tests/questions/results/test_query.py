"""Conditions, orders and columns of tables."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from accmine.errors import InputError
from accmine.questions.results.query import select, to_arrow, write_parquet
from accmine.report.records import records

TABLE = records(
    [
        {"run": "a", "gap": 3.0, "limits.area": "400 mm^2", "n": 10, "mixed": 1},
        {"run": "b", "gap": None, "limits.area": None, "n": 9, "mixed": "two"},
        {"run": "c", "gap": 0.5, "limits.area": "500 mm^2", "n": 1},
    ]
)


@pytest.mark.parametrize(
    ("where", "runs"),
    [
        ("gap > 1", "a"),
        ("gap <= 1 or gap is null", "bc"),
        ("run like 'b%' and n > 2", "b"),
        ("\"limits.area\" = '500 mm^2'", "c"),
        ("run in ('a', 'c') and not gap < 1", "a"),
        ("mixed = 'two'", "b"),
        (" ", "abc"),
        ("run = 'drop table'", ""),
    ],
)
def test_conditions(where: str, runs: str) -> None:
    assert "".join(select(TABLE, where).column("run")) == runs


@pytest.mark.parametrize(
    "where",
    [
        "gap >",
        "gapp > 1",
        "gap > 1; drop table rows",
        "gap > 1; copy rows to 'stolen.csv'",
        "1=1) or (1=1",
        "true union select * from rows",
        "gap > 1 order by gap",
        "exists(select * from read_csv('README.md'))",
        "exists(select * from read_text('/etc/passwd'))",
        "exists(from 'README.md')",
        "exists(select * from TABLE)",
        "exists(select * from secret)",
        "run > 1",
        "gap > 'high'",
        "limits.area = 'x'",
    ],
)
def test_what_is_no_condition_is_refused_with_the_columns(where: str) -> None:
    secret = to_arrow(TABLE)  # a variable that DuckDB would find by itself
    assert secret.num_rows == 3
    with pytest.raises(InputError) as caught:
        select(TABLE, where)
    (complaint,) = caught.value.complaints
    assert complaint.field == "--where"
    assert complaint.message.startswith(repr(where))
    assert complaint.message.endswith('columns: run, gap, "limits.area", n, mixed')


def test_order_and_columns() -> None:
    assert select(TABLE, sort=["gap"]).column("run") == ["c", "a", "b"], "what is empty comes last"
    assert select(TABLE, sort=["-gap"]).column("run") == ["a", "c", "b"]
    assert select(TABLE, sort=["n"]).column("n") == [1, 9, 10], "numbers, not texts"
    assert select(TABLE, sort=["mixed", "n"]).column("run") == ["a", "b", "c"]
    assert select(TABLE, columns=["n", "run"]).to_json()[0] == {"n": 10, "run": "a"}
    with pytest.raises(InputError, match=r"no column 'gp'; did you mean 'gap'\? columns: run"):
        select(TABLE, columns=["gp"])
    with pytest.raises(InputError, match="no column 'x'"):
        select(TABLE, sort=["-x"])


def test_without_the_extra_only_conditions_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("duckdb", "pyarrow", "pandas"):
        monkeypatch.setitem(sys.modules, name, None)
    assert select(TABLE, sort=["n"], columns=["run"]).column("run") == ["c", "b", "a"]
    with pytest.raises(InputError, match=r"accmine\[data\]"):
        select(TABLE, "gap > 1")
    with pytest.raises(InputError, match=r"accmine\[data\]"):
        TABLE.to_pandas()
    with pytest.raises(InputError, match=r"accmine\[data\]"):
        write_parquet(TABLE, Path("never.parquet"))


def test_parquet_keeps_numbers_and_what_is_missing(tmp_path: Path) -> None:
    import pandas

    write_parquet(TABLE, tmp_path / "t.parquet")
    frame = pandas.read_parquet(tmp_path / "t.parquet")
    assert list(frame.columns) == list(TABLE.columns)
    assert frame["gap"].tolist()[::2] == [3.0, 0.5]
    assert frame["gap"].isna().tolist() == [False, True, False]
    assert frame["mixed"].tolist()[:2] == ["1", "two"]
    assert TABLE.to_pandas()["n"].sum() == 20
