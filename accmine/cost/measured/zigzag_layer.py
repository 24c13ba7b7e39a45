"""One tensor core and one product in the words of ZigZag: accelerator, spatial mapping, layer.

==========  =========================================================================================================
memory      what it is
==========  =========================================================================================================
stationary  registers of each processing element for the operand that stays (``ws``, ``is``): two words where the
            timing loads weights behind the current fold, else one
sums        fp32 partial sums: ``PSUM_WORDS`` per column (``ws``, ``is``) or per processing element (``os``)
sram        the private SRAM; a read and a write port per operand, each wide enough for one array edge per cycle
            (accmine's assumption: its ports are paid for in area and never stall) and for the HBM
hbm         one shared port
==========  =========================================================================================================

Sizes are bits, bandwidths bits per cycle, energies pJ per access of the full width of a port, from the constants of the
technology. Registers cost nothing: the technology's MAC energy includes them.
"""

from __future__ import annotations

from typing import Any

from accmine.cost.arrays.timing import Timing, array_cycles, resolve_timing
from accmine.cost.energy import mac_pj
from accmine.cost.measured.file import core_name
from accmine.errors import InputError
from accmine.hardware import DATAFLOWS, FLEXIBLE, TensorCore
from accmine.hardware.technology import Technology
from accmine.workload.work import Gemm

__all__ = ["PSUM_WORDS", "accelerator", "best_dataflow", "layer", "mapping", "port_bits"]

PSUM_WORDS = 2
"""fp32 words of a partial-sum register: one in use while the other is exchanged."""

_SUM_BITS = 32
_BITS = {"bf16": 16, "fp16": 16, "fp32": 32, "fp8": 8, "int8": 8, "tf32": 32}
_ALONG = {"ws": ("K", "C"), "is": ("B", "C"), "os": ("K", "B")}
"""Dimensions of the product along (columns, rows): ZigZag's B, K, C are accmine's m, n, k."""


def best_dataflow(gemm: Gemm, tensor: TensorCore, timing: str | Timing) -> str:
    """The dataflow a product runs in: the core's own, or the fastest one of an array that has all three."""
    if tensor.dataflow != FLEXIBLE:
        return tensor.dataflow
    sizes = (gemm.m, gemm.k, gemm.n, gemm.batch, tensor.rows, tensor.cols)
    return min(DATAFLOWS, key=lambda dataflow: int(array_cycles(*sizes, dataflow, timing)))


def port_bits(tensor: TensorCore, element_bits: int, hbm_bits_per_cycle: int) -> int:
    """Width of every port of the SRAM: one edge of the array per cycle, and no narrower than the HBM."""
    return max(tensor.rows * element_bits, tensor.cols * _SUM_BITS, tensor.cols * element_bits, hbm_bits_per_cycle)


def accelerator(
    tensor: TensorCore,
    dataflow: str,
    dtype: str,
    timing: str | Timing,
    technology: Technology,
    hbm_bytes: int,
    hbm_bits_per_cycle: int | None = None,
) -> dict[str, Any]:
    """One tensor core and the HBM as ZigZag's accelerator, to be written as YAML.

    Parameters
    ----------
    dataflow
        ``ws``, ``os`` or ``is``.
    dtype
        Element type of the operands.
    hbm_bytes
        Capacity of the HBM.
    hbm_bits_per_cycle
        Its bandwidth, ``None``: as wide as the port of the SRAM, so that it never stalls the array.

    Raises
    ------
    InputError
        For an unknown dtype or dataflow, or a technology without energies.
    """
    if dtype not in _BITS:
        raise InputError(f"unknown dtype {dtype!r} of a product; allowed: {', '.join(_BITS)}")
    if dataflow not in DATAFLOWS:
        raise InputError(f"unknown dataflow {dataflow!r}; allowed: {', '.join(DATAFLOWS)}")
    bits, chosen = _BITS[dtype], resolve_timing(timing)
    width = port_bits(tensor, bits, hbm_bits_per_cycle or 1)
    hbm_width = hbm_bits_per_cycle or width
    memories = _registers(dataflow, bits, 2 if chosen.weight_load_overlap else 1)
    sram_pj = technology.sram_pj_per_byte(tensor.sram_bytes) * width / 8
    reads, writes = (["I1, tl"], ["I2, tl"], ["O, tl", "O, th"]), (["I1, fh"], ["I2, fh"], ["O, fh", "O, fl"])
    ports = [_port(f"r_port_{i}", "read", width, allocation) for i, allocation in enumerate(reads, 1)]
    ports += [_port(f"w_port_{i}", "write", width, allocation) for i, allocation in enumerate(writes, 1)]
    every, everywhere = ["I1", "I2", "O"], ["D1", "D2"]
    memories["sram"] = _memory(8 * tensor.sram_bytes, sram_pj, every, ports, everywhere)
    allocation = [f"{operand}, {way}" for operand in every for way in ("fh", "tl")] + ["O, fl", "O, th"]
    hbm_pj = technology.hbm_pj_per_byte * hbm_width / 8
    hbm = [_port("rw_port_1", "read_write", hbm_width, allocation)]
    memories["hbm"] = _memory(8 * hbm_bytes, hbm_pj, every, hbm, everywhere)
    return {
        "name": f"{core_name(tensor)}-{dataflow}" if tensor.dataflow != dataflow else core_name(tensor),
        "memories": memories,
        "operational_array": {
            "unit_energy": float(mac_pj(dtype, chosen, technology, tensor.rates)),
            "unit_area": 0.0,
            "dimensions": ["D1", "D2"],
            "sizes": [tensor.cols, tensor.rows],
            "systolic_dimensions": ["D1", "D2"],
        },
    }


def _registers(dataflow: str, bits: int, words: int) -> dict[str, Any]:
    """The registers of the array: of the operand that stays, of so many words, and of partial sums."""
    memories: dict[str, Any] = {}
    if dataflow != "os":
        operand = {"ws": "I2", "is": "I1"}[dataflow]
        ports = [_port("r_port_1", "read", bits, [f"{operand}, tl"])]
        ports += [_port("w_port_1", "write", bits, [f"{operand}, fh"])]
        memories["stationary"] = _memory(words * bits, 0.0, [operand], ports, [])
    ports = [_port(f"r_port_{i}", "read", _SUM_BITS, [f"O, {way}"]) for i, way in enumerate(("tl", "th"), 1)]
    ports += [_port(f"w_port_{i}", "write", _SUM_BITS, [f"O, {way}"]) for i, way in enumerate(("fh", "fl"), 1)]
    # A partial sum runs down its column, which has one register; in os every element accumulates its own.
    serves = [] if dataflow == "os" else ["D2"]
    memories["sums"] = _memory(PSUM_WORDS * _SUM_BITS, 0.0, ["O"], ports, serves)
    return memories


def _port(name: str, kind: str, width: int, allocation: list[str]) -> dict[str, Any]:
    # Accesses are counted in bytes and charged in shares of the full width.
    least = 8 if width % 8 == 0 else 1
    return {"name": name, "type": kind, "bandwidth_min": least, "bandwidth_max": width, "allocation": allocation}


def _memory(
    bits: int, pj: float, operands: list[str], ports: list[dict[str, Any]], served: list[str]
) -> dict[str, Any]:
    """Areas are not ours to say here: accmine has its own law."""
    energy: dict[str, Any] = {"r_cost": float(pj), "w_cost": float(pj), "area": 0.0}
    shape: dict[str, Any] = {
        "latency": 1,
        "operands": list(operands),
        "ports": ports,
        "served_dimensions": list(served),
    }
    return {"size": int(bits), **energy, **shape}


def mapping(tensor: TensorCore, dataflow: str) -> list[dict[str, Any]]:
    """The spatial mapping of a dataflow: which dimensions lie along the columns (D1) and rows (D2)."""
    columns, rows = _ALONG[dataflow]
    spatial = {"D1": [f"{columns}, {tensor.cols}"], "D2": [f"{rows}, {tensor.rows}"]}
    links = {"O": "O", "W": "I2", "I": "I1"}
    return [{"name": "default", "spatial_mapping": spatial, "memory_operand_links": links}]


def layer(name: str, index: int, m: int, k: int, n: int, dtype: str) -> dict[str, Any]:
    """One product C[m,n] = A[m,k] · B[k,n] as a layer of ZigZag's workload."""
    bits = _BITS[dtype]
    return {
        "id": index,
        "name": name,
        "operator_type": "Gemm",
        "equation": "O[b][k]+=W[k][c]*I[b][c]",
        "dimension_relations": [],
        "loop_dims": ["B", "K", "C"],
        "loop_sizes": [m, n, k],
        "operand_precision": {"W": bits, "I": bits, "O": _SUM_BITS, "O_final": bits},
        "operand_source": {"I": index, "W": index},
    }
