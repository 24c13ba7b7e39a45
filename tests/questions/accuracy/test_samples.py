"""Measured operators on whole chips: sizes in bytes, times in seconds, and which rows of a file count."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accmine.errors import InputError
from accmine.hardware import Design, TensorCore, VectorCore
from accmine.questions.accuracy.samples import Sample, read_samples

CHIP = Design(2, TensorCore(32, 32, 1 << 19, "ws"), 1, VectorCore(64, 2, 1 << 17), 16 << 30, 400 * 10**9, 10**9)
HEAD = "kind,m,k,n,batch,elements,row,dtype,core,cores,cycles,bytes,source\n"
PRODUCT = "gemm,64,128,256,,,,bf16,tc32x32ws-512Ki,2,5000,,a\n"
SOFTMAX = "softmax,,,,,65536,128,bf16,vc64x2-128Ki,1,7000,262144,b\n"
DEVICES = "device,dtype,M,K,N,latency_s,tflops_reported\n"


def read(folder: Path, text: str, design: Design = CHIP) -> tuple[Sample, ...]:
    path = folder / "rows.csv"
    path.write_text(text, encoding="utf-8")
    return read_samples(path, design)


sizes = st.integers(1, 5000)


@settings(max_examples=40, deadline=None)
@given(sizes, sizes, sizes, st.integers(1, 8), st.sampled_from([("bf16", 2), ("fp32", 4), ("int8", 1)]))
def test_a_product_touches_every_tensor_once(m: int, k: int, n: int, batch: int, dtype: tuple[str, int]) -> None:
    name, size = dtype
    work = Sample.product(m, k, n, batch, name, 1.0, "f:1").work
    assert work.macs == batch * m * k * n
    assert work.bytes_in == size * batch * (m * k + k * n)
    assert work.bytes_out == size * batch * m * n
    turned = Sample.product(n, k, m, batch, name, 1.0, "f:1").work
    assert (turned.macs, turned.bytes_in, turned.bytes_out) == (work.macs, work.bytes_in, work.bytes_out)
    assert work.vector == ()


def test_names() -> None:
    assert Sample.product(2, 3, 4, 1, "bf16", 1.0, "").name == "2x3x4"
    assert Sample.product(2, 3, 4, 5, "bf16", 1.0, "").name == "2x3x4 (5)"


def test_rows_of_cycles_become_seconds_of_the_design(tmp_path: Path) -> None:
    product, softmax = read(tmp_path, HEAD + PRODUCT + SOFTMAX)
    assert product == Sample.product(64, 128, 256, 1, "bf16", 5e-6, f"{tmp_path / 'rows.csv'}:2")
    assert (softmax.seconds, softmax.name, softmax.where) == (7e-6, "softmax 65536/128", f"{tmp_path / 'rows.csv'}:3")
    assert softmax.work.gemm is None
    assert softmax.work.bytes_in + softmax.work.bytes_out == 262144
    slow = read(tmp_path, HEAD + PRODUCT + SOFTMAX, replace(CHIP, frequency_hz=5 * 10**8))
    assert [sample.seconds for sample in slow] == [1e-5, 1.4e-5]


def test_only_rows_on_all_cores_count(tmp_path: Path) -> None:
    others = (
        PRODUCT.replace(",2,5000", ",1,5000"),
        PRODUCT.replace("32x32ws", "32x32os"),
        PRODUCT.replace("512Ki", "256Ki"),
        SOFTMAX.replace(",1,7000", ",2,7000"),
    )
    found = read(tmp_path, HEAD + others[0] + PRODUCT + "".join(others[1:]) + SOFTMAX)
    assert [sample.where.rpartition(":")[2] for sample in found] == ["3", "7"]
    with pytest.raises(
        InputError, match=r"no operator on 2 × tc32x32ws-512Ki or 1 × vc64x2-128Ki; in the file: 1 × tc"
    ):
        read(tmp_path, HEAD + "".join(others))


def test_the_order_of_rows_and_columns_changes_no_sample(tmp_path: Path) -> None:
    forth, back = read(tmp_path, HEAD + PRODUCT + SOFTMAX), read(tmp_path, HEAD + SOFTMAX + PRODUCT)
    assert [replace(s, where="") for s in forth] == [replace(s, where="") for s in reversed(back)]
    turned = [",".join(reversed(line.split(","))) + "\n" for line in (HEAD + PRODUCT + SOFTMAX).splitlines()]
    assert read(tmp_path, "".join(turned)) == forth


def test_a_vector_operator_needs_its_bytes(tmp_path: Path) -> None:
    bare = SOFTMAX.replace("262144", "")
    with pytest.raises(InputError) as caught:
        read(tmp_path, HEAD + bare + PRODUCT + bare.replace("65536", "32768"))
    assert [(c.where.rpartition(":")[2], c.field) for c in caught.value.complaints] == [("2", "bytes"), ("4", "bytes")]
    elsewhere = bare.replace("vc64x2", "vc64x4")
    assert len(read(tmp_path, HEAD + elsewhere + PRODUCT)) == 1, "rows of other cores need nothing"


def test_nothing_is_faster_than_the_peak(tmp_path: Path) -> None:
    """2 · 32 · 32 units do 64 · 128 · 256 multiplications in 1024 cycles."""
    at_peak = PRODUCT.replace("5000", "1024")
    assert read(tmp_path, HEAD + at_peak)[0].seconds == pytest.approx(1.024e-6)
    with pytest.raises(InputError, match="faster than the peak") as caught:
        read(tmp_path, HEAD + at_peak + PRODUCT.replace(",64,", ",65,").replace("5000", "1039"))
    (one,) = caught.value.complaints
    assert one.where == f"{tmp_path / 'rows.csv'}:3"
    with pytest.raises(InputError, match=r":2: latency_s: faster than the peak.*65x128x256"):
        read(tmp_path, DEVICES + "x,fp16,65,128,256,1.039e-6,\n")
    assert len(read(tmp_path, DEVICES + "x,fp16,65,128,256,1.041e-6,\n")) == 1


def test_a_table_of_a_device(tmp_path: Path) -> None:
    text = "x,fp16,64,128,256,2e-6,\nx,fp16,64,128,256,2e-6,2.1\nx,fp16,64,128,256,9e-6,\nx,fp16,64,64,256,3e-6,\n"
    found = read(tmp_path, DEVICES + text)
    path = tmp_path / "rows.csv"
    sizes = ((128, 2e-6, 2), (64, 3e-6, 5))  # of the three repeated rows the median
    assert found == tuple(Sample.product(64, k, 256, 1, "fp16", time, f"{path}:{line}") for k, time, line in sizes)


@pytest.mark.parametrize(("rate", "allowed"), [(2.1, True), (2.06, True), (2.0, False), (2.2, False), (2100, False)])
def test_a_reported_rate_has_to_agree_to_two_percent(tmp_path: Path, rate: float, allowed: bool) -> None:
    """64 · 128 · 256 products in 2 us are 2.097 TFLOP/s."""
    text = DEVICES + f"x,fp16,64,128,256,2e-6,{rate}\n"
    if allowed:
        assert len(read(tmp_path, text)) == 1
    else:
        with pytest.raises(InputError, match=rf"2.097 TFLOP/s, reported {rate:g}: units\?"):
            read(tmp_path, text)


def test_every_complaint_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, DEVICES + "x,fp7,64,0,256,2e-6,\nx,fp16,64,128,256,2e-6,\nx,fp16,64,128,256,-1,\n")
    found = {(c.where.rpartition(":")[2], c.field) for c in caught.value.complaints}
    assert {("2", "dtype"), ("2", "K"), ("4", "latency_s")} <= found
    assert not any(line == "3" for line, _ in found)
