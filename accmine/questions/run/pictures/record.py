"""What the figures of a report need beside its tables, as plain records with a JSON form."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DeviceRoof", "EvaluatedDesign", "OperatorPoint"]


@dataclass(frozen=True)
class EvaluatedDesign:
    """A design that was scheduled.

    Attributes
    ----------
    devices
        The group of devices that it was evaluated for.
    relative
        Throughput over that of the baseline; of stages of a pipeline that of the slowest one.
    samples_per_s
        NaN where the group is not all of the study, or of several workloads, whose samples are not of one kind.
    area_mm2, tdp_w
        Of one device.
    fits
        Whether it meets the limits of one device.
    """

    name: str
    devices: str
    relative: float
    samples_per_s: float
    area_mm2: float
    tdp_w: float
    fits: bool


@dataclass(frozen=True)
class OperatorPoint:
    """Equal operators of a step in the mode that their schedule gives them.

    Attributes
    ----------
    name, kind, phase
        Of the first of them.
    count
        How many of them a step runs.
    intensity, flops_per_s
        FLOP per byte of HBM traffic, and FLOP/s that it has; of an operator without a product those of vector lanes.
    seconds
        Of all of them, one after the other.
    bound_by
        ``array``, ``vector``, ``port``, ``hbm`` or ``launch``.
    product
        Whether it is below the roof of the arrays; else below that of the vector lanes.
    """

    name: str
    kind: str
    phase: str
    count: int
    intensity: float
    flops_per_s: float
    seconds: float
    bound_by: str
    product: bool


@dataclass(frozen=True)
class DeviceRoof:
    """The roofline of a device with the operators of a step; those that take the most time.

    Attributes
    ----------
    tensor_flops_per_s, vector_flops_per_s, hbm_bytes_per_s
        As of ``accmine.hardware.Roofline``, in the fastest type of the products, and of the operators without one.
    left_out_s
        Seconds of the operators that are not listed.
    """

    device: str
    tensor_flops_per_s: float
    vector_flops_per_s: float
    hbm_bytes_per_s: float
    operators: tuple[OperatorPoint, ...]
    left_out_s: float = 0.0
