"""Known chips with published die area and power, written as designs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from accmine.hardware import Design, TensorCore, VectorCore, load_accelerator

__all__ = ["LOGIC_MTR_PER_MM2", "KnownChip", "known_chips", "other_chips"]

_MIB = 1 << 20
LOGIC_MTR_PER_MM2 = {28: 15.3, 16: 28.9, 7: 96.3, 5: 171.3}
"""Logic density by feature size (ttm-cas supply_chain_model.py); the technologies use the same."""
_FP64_MTR = 0.0253 * (53 / 11) ** 2
"""A 64-bit FPU: the one from which LLMCompass scales its 25.3 kTr by mantissa squared."""
_PCIE4_X16_MM2, _PCIE5_X16_MM2 = 16 * 0.48, 16 * 0.64  # LLMCompass cost_model.py
_DDR_MM2_PER_32_BIT = 1.45  # LLMCompass cost_model.py, DDR5
_NVLINK3 = (1.888, 74.6)  # mm2 of PHY and MTr of controller per link of 25 GB/s and direction; LLMCompass cost_model.py
_NVLINK4 = (0.965, 86.6)


@dataclass(frozen=True, slots=True)
class KnownChip:
    """A chip with published figures.

    Attributes
    ----------
    name, technology
        The chip, and the shipped technology of its node.
    die
        What the die holds, disabled cores included; a multiprocessor of a GPU is one tensor core and one vector core.
    product
        What of it works; its clock and HBM are those of the power figures.
    stacks
        HBM interfaces on the die.
    phy_mm2, logic_mtr
        PHYs of everything but HBM; transistors of link controllers and fp64 units, in millions.
    mac
        What its arrays multiply: ``bf16``, ``fp16`` or ``int8``.
    die_mm2, tdp_w, idle_w, measured_w
        Published die area, TDP, idle power and measured maximum; ``None`` where none is known.
    source
        Of the published figures.
    is_capped
        Whether the chip enforces its TDP as a limit and slows down at it, as GPUs do. Such a TDP says nothing of the
        power with everything busy: it is below it, and does not count for the margin.
    shared_ports
        Network ports that the law counts and the chip has not: the cores of a multiprocessor have one together.
    """

    name: str
    technology: str
    die: Design
    product: Design
    stacks: int
    phy_mm2: float
    logic_mtr: float
    mac: str
    die_mm2: float
    tdp_w: float | None
    idle_w: float | None
    measured_w: float | None
    source: str
    is_capped: bool = False
    shared_ports: int = 0


def _links(gigabytes_per_s: float, link: tuple[float, float] = _NVLINK3) -> tuple[float, float]:
    """(mm² of PHY, MTr of controllers) of links of this bandwidth per direction."""
    return gigabytes_per_s / 25 * link[0], gigabytes_per_s / 25 * link[1]


def _tpu(
    name: str, technology: str, file: str, stacks: int, links: float, power: Sequence[float | None], die_mm2: float
) -> KnownChip:
    design = load_accelerator(file)
    phy, logic = _links(links)
    tdp, idle, measured = power
    source = "Jouppi et al. (ISCA 2021), recalled" if name != "TPUv4" else "Jouppi et al. (ISCA 2023), recalled"
    phy += _PCIE4_X16_MM2
    return KnownChip(name, technology, design, design, stacks, phy, logic, "bf16", die_mm2, tdp, idle, measured, source)


def _gpu(
    name: str, technology: str, file: str, cores: tuple[int, int], array: tuple[int, int], shared_mib: int, fp64: int
) -> KnownChip:
    """A GPU whose multiprocessors, each one array of all its multipliers, are (on the die, working)."""
    listed = load_accelerator(file)
    sram = listed.tensor.sram_bytes * listed.tensor_cores // cores[1]
    product = replace(listed, tensor=TensorCore(*array, sram)).with_cores(cores[1], cores[1])
    die = replace(product.with_cores(cores[0], cores[0]), shared_sram_bytes=shared_mib * _MIB)
    is_a100 = name == "A100"
    phy, logic = _links(300) if is_a100 else _links(450, _NVLINK4)
    phy += _PCIE4_X16_MM2 if is_a100 else _PCIE5_X16_MM2
    logic += cores[0] * fp64 * _FP64_MTR
    die_mm2, tdp = (826.0, 400.0) if is_a100 else (814.0, 700.0)
    source = f"{name} datasheet and architecture whitepaper, recalled"
    return KnownChip(
        name, technology, die, product, 6, phy, logic, "fp16", die_mm2, tdp, None, None, source, True, cores[0]
    )


@cache
def known_chips() -> tuple[KnownChip, ...]:
    """The seven chips; die areas of TPUv4i and TPUv4 are published as upper bounds ("< 400", "< 600" mm²)."""
    v1 = load_accelerator("tpuv1")
    ddr_mm2 = 4 * _DDR_MM2_PER_32_BIT + _PCIE4_X16_MM2
    source = "Jouppi et al. (ISCA 2017), recalled"
    first = KnownChip("TPUv1", "accelerator-28nm", v1, v1, 0, ddr_mm2, 0.0, "int8", 331.0, 75.0, 28.0, None, source)
    v2, v3, v4i, v4 = ("tpuv2-like", "tpuv3-like", "tpuv4i-like", "tpuv4-like")
    return (
        first,
        _tpu("TPUv2", "accelerator-16nm", v2, 4, 4 * 62.0, (280.0, 53.0, None), 611.0),
        _tpu("TPUv3", "accelerator-16nm", v3, 4, 4 * 82.0, (450.0, 123.0, 262.0), 648.0),
        _tpu("TPUv4i", "accelerator-7nm", v4i, 2, 2 * 50.0, (175.0, 55.0, None), 400.0),
        _tpu("TPUv4", "accelerator-7nm", v4, 4, 6 * 50.0, (None, 90.0, 192.0), 600.0),
        _gpu("A100", "accelerator-7nm", "a100-like", (128, 108), (32, 32), 48, 32),
        _gpu("H100", "accelerator-5nm", "h100-like", (144, 132), (64, 32), 60, 64),
    )


def _other(
    name: str,
    technology: str,
    tensor: tuple[int, TensorCore],
    vector: tuple[int, VectorCore],
    shared_mib: int,
    stacks: int,
    links: float,
    die_mm2: float,
    source: str,
) -> KnownChip:
    """A die of which only the area is compared; each vector core of a GPU has 32 fp64 units.

    The Ascend's links and host interface are on another die.
    """
    port = 10**9 if shared_mib else 0
    die = Design(*tensor, *vector, 16 << 30, 900 * 10**9, 900 * 10**6, shared_mib * _MIB, port)
    phy, logic = _links(links)
    phy += _PCIE4_X16_MM2 if links else 0.0
    logic += vector[0] * 32 * _FP64_MTR if "whitepaper" in source else 0.0
    mac, shared = ("int8", 0) if name == "TSP" else ("fp16", vector[0])
    return KnownChip(
        name, technology, die, die, stacks, phy, logic, mac, die_mm2, None, None, None, source, False, shared
    )


@cache
def other_chips() -> tuple[KnownChip, ...]:
    """Dies that no fit uses; the 12 nm of V100 and the 14 nm of the TSP stand under 16 nm. All figures recalled.

    P100 has no tensor cores: it is given arrays of one multiplier. The Ascend was entered last, when the law was
    settled.
    """
    kib = 1 << 10
    lanes, wide_lanes = VectorCore(64, 2, 256 * kib), VectorCore(64, 2, 512 * kib)
    v100, p100, mi100 = (
        (n, TensorCore(*a, s * kib)) for n, a, s in ((84, (32, 16), 128), (60, (1, 1), 64), (120, (32, 16), 64))
    )
    ascend = (32, TensorCore(64, 64, 1280 * kib)), (32, VectorCore(64, 2, 256 * kib))
    tsp = (4, TensorCore(320, 320, 55 * _MIB)), (1, VectorCore(320, 16, kib))
    whitepaper = "architecture whitepaper, recalled"
    return (
        _other("V100", "accelerator-16nm", v100, (84, lanes), 6, 4, 150, 815.0, f"V100 {whitepaper}"),
        _other("P100", "accelerator-16nm", p100, (60, lanes), 4, 4, 80, 610.0, f"P100 {whitepaper}"),
        _other("MI100", "accelerator-7nm", mi100, (120, wide_lanes), 8, 4, 138, 750.0, f"CDNA {whitepaper}"),
        _other("Ascend 910", "accelerator-7nm", *ascend, 32, 4, 0, 456.0, "Liao et al. (Hot Chips 2019), recalled"),
        _other("TSP", "accelerator-16nm", *tsp, 0, 0, 240, 725.0, "Abts et al. (ISCA 2020), recalled"),
    )
