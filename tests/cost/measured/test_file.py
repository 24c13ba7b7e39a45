"""Files of measured operators: rows come back as they were written, and every refusal names its column."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.cost.measured.file import COLUMNS, MeasuredRow, core_name, parse_core, read_lines, read_rows
from accmine.errors import InputError
from accmine.hardware import TensorCore, VectorCore
from accmine.hardware.design import DATAFLOW_CHOICES

COUNTS = st.integers(1, 512)
SRAMS = st.integers(1, 1 << 30) | st.integers(1, 64).map(lambda n: n << 20)
TENSOR = st.builds(TensorCore, COUNTS, COUNTS, SRAMS, st.sampled_from(DATAFLOW_CHOICES))
VECTOR = st.builds(VectorCore, COUNTS, st.integers(1, 32), SRAMS)


@given(TENSOR | VECTOR)
def test_names_of_cores_come_back(core: TensorCore | VectorCore) -> None:
    assert parse_core(core_name(core)) == core


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tc8x8xs-64Ki", "unknown core"),
        ("tc8x8ws", "unknown core"),
        ("vc8-64Ki", "unknown core"),
        ("", "unknown core"),
        ("tc0x8ws-64Ki", "must be at least 1"),
        ("tc8x8ws-0Ki", "must be at least 1"),
        ("tc8x8ws-1024Ki", "must be written 'tc8x8ws-1Mi'"),
        ("tc08x8ws-1Mi", "must be written 'tc8x8ws-1Mi'"),
        ("vc8x2-65536", "must be written 'vc8x2-64Ki'"),
    ],
)
def test_other_names_are_refused(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_core(name)


SIZES = st.integers(1, 300)
ROWS = st.builds(
    MeasuredRow,
    st.just("gemm"),
    st.tuples(SIZES, SIZES, SIZES, st.integers(1, 4)),
    st.sampled_from(("bf16", "int8")),
    st.just(TensorCore(8, 8, 1 << 16)),
    st.integers(1, 4),
    st.integers(10**8, 10**9),
    st.none() | st.integers(1, 10**9),
    st.none() | st.floats(1e-9, 1e3),
    st.text("abc ,\"'é", min_size=1, max_size=9).filter(lambda text: text.strip() == text),
    st.just(""),
)


def cells(row: MeasuredRow) -> dict[str, Any]:
    m, k, n, batch = row.size
    sizes = {"m": m, "k": k, "n": n, "batch": batch}
    values = {"cores": row.cores, "cycles": row.cycles, "bytes": row.hbm_bytes, "joules": row.joules}
    return {"kind": "gemm", **sizes, "dtype": row.dtype, "core": core_name(row.core), **values, "source": row.source}


def text_of(rows: list[dict[str, Any]], columns: list[str]) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: "" if row.get(name) is None else row[name] for name in columns})
    return file.getvalue()


@settings(max_examples=20, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=6, unique_by=lambda row: row.key), st.randoms(use_true_random=False))
def test_rows_come_back_whatever_the_order_of_columns(
    tmp_path_factory: pytest.TempPathFactory, rows: list[MeasuredRow], rng: Any
) -> None:
    columns = list(cells(rows[0]))
    rng.shuffle(columns)
    path = tmp_path_factory.mktemp("rows") / "t.csv"
    text = text_of([cells(row) for row in rows], columns)
    path.write_text(f"# a comment\n\n{text}\n# the end\n", encoding="utf-8")
    found = read_rows(path)
    assert [(r.key, r.cycles, r.hbm_bytes, r.joules, r.source) for r in found] == [
        (r.key, r.cycles, r.hbm_bytes, r.joules, r.source) for r in rows
    ]
    assert [r.where for r in found] == [f"{path}:{4 + i}" for i in range(len(rows))]
    twice = f"{text}{text_of([cells(row) for row in rows], columns).partition(chr(10))[2]}"
    path.write_text(twice, encoding="utf-8")
    assert len(read_rows(path)) == len(rows), "the same row twice is one"


GOOD = {"kind": "gemm", "m": 8, "k": 8, "n": 8, "dtype": "bf16", "core": "tc8x8ws-64Ki", "cycles": 99, "source": "x"}


@pytest.mark.parametrize(
    ("change", "column", "message"),
    [
        ({"kind": "gem"}, "kind", "unknown kind 'gem'; did you mean 'gemm'?"),
        ({"dtype": "fp64"}, "dtype", "unknown dtype 'fp64'; allowed: "),
        ({"core": "vc8x2-64Ki"}, "core", "gemm runs on a tensor core, got 'vc8x2-64Ki'"),
        ({"source": ""}, "source", "must say what was measured"),
        ({"m": 0}, "m", "must be a whole number from 1 to 2^53, got '0'"),
        ({"m": ""}, "m", "is needed for 'gemm'"),
        ({"m": "8.0"}, "m", "must be a whole number"),
        (
            {"m": 2**40, "k": 2**40},
            "m",
            "1099511627776 × 1099511627776 × 16 × 1 is more arithmetic than the model counts exactly",
        ),
        ({"elements": 3}, "elements", "is no size of 'gemm'; leave it empty"),
        ({"cycles": 7}, "cycles", "faster than the peak of the cores: 7 cycles, but the arithmetic alone needs 16"),
        ({"cycles": ""}, "cycles", "is needed, or seconds with frequency_hz"),
        ({"seconds": 1}, "cycles", "cycles and seconds exclude each other; give one"),
        ({"cycles": "", "seconds": 1}, "frequency_hz", "is needed with seconds"),
        ({"cycles": "", "seconds": 1, "frequency_hz": 700}, "frequency_hz", "must be at least 1,000,000 Hz"),
        ({"cycles": "", "seconds": 1e-9, "frequency_hz": 7e8}, "seconds", "faster than the peak of the cores"),
        ({"joules": "nan"}, "joules", "must be a number above 0, got 'nan'"),
        ({"bytes": -1}, "bytes", "must be a whole number from 1"),
        ({"cores": "two"}, "cores", "must be a whole number from 1"),
        ({"kind": "relu", "core": "vc8x2-64Ki", "m": "", "k": "", "n": ""}, "elements", "is needed for 'relu'"),
    ],
)
def test_what_is_wrong_is_named_at_its_column(
    change: dict[str, Any], column: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text_of([GOOD, GOOD | {"n": 16} | change], list(COLUMNS)))
    with pytest.raises(InputError) as error:
        read_rows(path)
    (found,) = error.value.complaints
    assert (found.where, found.field) == (f"{path}:3", column)
    assert found.message.startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no rows: a line of column names and at least one row are needed"),
        ("kind\n", "no rows"),
        ("kind,kind\na,b\n", "columns given twice: kind"),
        ("kind,core\na\n", "1 cells, but 2 columns: kind, core"),
        ('kind,core\na,"b\n', "is no line of a CSV"),
    ],
)
def test_what_is_no_table_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_lines(path)
    path.write_bytes(b"kind\n\xff\n")
    with pytest.raises(InputError, match="is not UTF-8 text"):
        read_lines(path)


def test_columns_that_nobody_reads_and_missing_ones_are_named(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("kind,cycle,core\na,b,c\n")
    with pytest.raises(InputError) as error:
        read_rows(path)
    texts = [c.message for c in error.value.complaints]
    assert texts[0].startswith("unknown column; did you mean 'cycles'?")
    assert texts[1] == "missing columns: dtype, source, cycles (or seconds and frequency_hz)"
