"""Fronts, and tunables out of names."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from accmine.files import load_yaml
from accmine.hardware import Design, DesignSpace, TensorCore, VectorCore, dump_design, template_of
from accmine.questions.run.pictures.front import TUNABLES, front, tunables

small = st.integers(0, 4).map(float)


@given(st.lists(st.tuples(small, small, small), max_size=12))
def test_the_front_is_what_nothing_beats(points: list[tuple[float, float, float]]) -> None:
    kept = front(points)
    for i, (own, best) in enumerate(zip(points, kept, strict=True)):
        beaten = any(
            all(a <= b for a, b in zip(other, own, strict=True)) and (other != own or j < i)
            for j, other in enumerate(points)
            if j != i
        )
        assert best is not beaten


sizes = st.sampled_from([1 << 20, 1 << 20 | 1 << 10, 3 << 19, 24 << 20, 1 << 30])


@st.composite
def designs(draw: st.DrawFn) -> Design:
    shared = draw(st.sampled_from([0, 1 << 20]))
    count = st.integers(1, 300)
    return Design(
        tensor_cores=draw(count),
        tensor=TensorCore(draw(count), draw(count), draw(sizes), draw(st.sampled_from(["ws", "os", "is", "flexible"]))),
        vector_cores=draw(count),
        vector=VectorCore(draw(count), draw(count), draw(sizes)),
        hbm_bytes=draw(sizes),
        hbm_bytes_per_s=draw(st.sampled_from([700_000_000_000, 1_632_500_000_000])),
        frequency_hz=draw(st.sampled_from([700_000_000, 1_050_000_000])),
        shared_sram_bytes=shared,
        port_bytes_per_s=draw(st.sampled_from([64_000_000_000])) if shared else 0,
    )


@given(designs())
def test_tunables_are_those_of_the_file_of_the_design(design: Design) -> None:
    found = tunables(design.name)
    assert set(found) <= set(TUNABLES)
    text = "\n".join(f"{key}: {value}" for key, value in {"name": "x", **found}.items())
    again = next(iter(DesignSpace(template_of(load_yaml(text=text)))))
    assert again == design
    assert template_of(load_yaml(text=dump_design(design, "x"))) is not None


def test_a_name_that_does_not_carry_all_has_none() -> None:
    name = "tc1x256x256ws-16Mi_vc2x64x16-1Mi_sh0_hbm16Gi-700GBps_700MHz"
    assert tunables(name)["tensor_sram"] == "16 MiB"
    assert tunables(f"{name}_cal10us-0.9-1-0.8") == {}
    assert tunables("tpuv2-like") == {}
