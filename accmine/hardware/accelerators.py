"""Accelerators as files: designs to compare with, written and read, and the published peaks they reproduce."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from accmine.errors import InputError
from accmine.files import Document, dump, format_quantity
from accmine.hardware.calibration import Calibration
from accmine.hardware.calibration_file import calibration_section
from accmine.hardware.design import Design
from accmine.hardware.facts import refuse_anchor
from accmine.hardware.precision import Rates
from accmine.hardware.space import DesignSpace
from accmine.hardware.template import open_keys, read_accelerator, template_of

__all__ = ["Peak", "design_of", "dump_design", "load_accelerator", "peaks"]


class Peak(NamedTuple):
    """Peak of an accelerator: modelled from its design file, and published; in TOP/s or TFLOP/s."""

    name: str
    model: float
    published: float


_PEAKS: tuple[tuple[str, str, float], ...] = (
    ("TPUv1", "tpuv1", 91.8),
    ("TPUv2", "tpuv2-like", 45.9),
    ("TPUv3", "tpuv3-like", 123.2),
    ("TPUv4", "tpuv4-like", 275.3),
    ("TPUv4i", "tpuv4i-like", 137.6),
    ("A100", "a100-like", 311.9),
    ("H100", "h100-like", 989.4),
)
"""Chip, design file and published peak: int8 TOP/s of TPUv1, bf16 or fp16 TFLOP/s of the others."""


def load_accelerator(name_or_path: str | Path, relative_to: Path | None = None, *, timed: bool = False) -> Design:
    """The design in a file of the catalogue or in a user's own file.

    Parameters
    ----------
    name_or_path
        Name of a shipped design, or a file.
    relative_to
        Folder in which a relative file is looked up; default: the current one.
    timed
        Whether its times are asked for: then a mere anchor of a peak is refused.

    Raises
    ------
    InputError
        For an unknown name or file, a wrong value, or a file that leaves a choice (a template).
    """
    document = read_accelerator(name_or_path, relative_to)
    if timed:
        refuse_anchor(document)
    return design_of(document)


def design_of(document: Document) -> Design:
    """The design in a file that was read; raises as ``load_accelerator``."""
    template = template_of(document)
    if template.size == 1:
        return next(iter(DesignSpace(template)))
    keys = open_keys(document)
    message = (
        f"a design needs one value here; this file is a template of {template.size:,} designs, which leaves "
        f"{', '.join(keys)} open: name a design (accmine list accelerators), or choose from the template with "
        "accelerator: {use: …} in a study"
    )
    raise InputError(message, where=document.locate(keys[:1]), field=keys[0])


def dump_design(design: Design, description: str = "") -> str:
    """YAML text of a design that ``load_accelerator`` reads back as the same design.

    It is also valid for ``accelerator: {use: FILE}`` and ``baseline:`` of a study.
    """
    tensor, vector = design.tensor, design.vector
    note = [f"description: >-\n  {' '.join(description.split())}"] if description.strip() else []
    port = (
        [f"port_bandwidth: {format_quantity(design.port_bytes_per_s, 'bytes/s')}"] if design.shared_sram_bytes else []
    )
    lines = [
        f"name: {design.name}",
        *note,
        f"tensor_cores: {design.tensor_cores}",
        f"tensor_rows: {tensor.rows}",
        f"tensor_cols: {tensor.cols}",
        f"dataflow: {tensor.dataflow}",
        f"tensor_sram: {format_quantity(tensor.sram_bytes, 'bytes')}",
        *_rates_lines("tensor_rates", tensor.rates),
        f"vector_cores: {design.vector_cores}",
        f"vector_lanes: {vector.lanes}",
        f"vector_ops_per_lane: {vector.ops_per_lane}",
        f"vector_sram: {format_quantity(vector.sram_bytes, 'bytes')}",
        *_rates_lines("vector_rates", vector.rates),
        f"shared_sram: {format_quantity(design.shared_sram_bytes, 'bytes')}",
        *port,
        f"hbm: {format_quantity(design.hbm_bytes, 'bytes')}",
        f"hbm_bandwidth: {format_quantity(design.hbm_bytes_per_s, 'bytes/s')}",
        f"frequency: {format_quantity(design.frequency_hz, 'hertz')}",
        *_calibration_lines(design.calibration),
    ]
    return "\n".join(lines) + "\n"


def _rates_lines(key: str, rates: Rates) -> list[str]:
    return [f"{key}: {{{', '.join(f'{dtype}: {rate!r}' for dtype, rate in rates)}}}"] if rates else []


def _calibration_lines(calibration: Calibration) -> list[str]:
    if calibration == Calibration():
        return []
    section = calibration_section(calibration, "that of the accelerator this design was found in")
    return dump({"calibration": section}, width=110).splitlines()


def peaks() -> list[Peak]:
    """Modelled and published peaks of known chips; the model is 2 · cores · rows · columns · clock."""
    return [Peak(chip, load_accelerator(file).peak_flops_per_s / 1e12, published) for chip, file, published in _PEAKS]
