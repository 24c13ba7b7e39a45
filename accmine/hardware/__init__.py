"""Hardware: designs, templates and their spaces, technologies, and the catalogue of accelerators."""

from accmine.hardware.accelerators import dump_design, load_accelerator, peaks
from accmine.hardware.calibration import UNCALIBRATED, Calibration, Constants, Tiles
from accmine.hardware.coverage import Beyond, covered
from accmine.hardware.design import (
    DATAFLOW_CHOICES,
    DATAFLOWS,
    FLEXIBLE,
    Design,
    TensorCore,
    VectorCore,
)
from accmine.hardware.roofline import Roofline
from accmine.hardware.space import DesignSpace, count_feasible, smallest, types_of
from accmine.hardware.technology.area import Chip, PartsArea
from accmine.hardware.technology.file import files_read
from accmine.hardware.template import Template, read_accelerator, template_from_mapping, template_of

__all__ = [
    "DATAFLOWS",
    "DATAFLOW_CHOICES",
    "FLEXIBLE",
    "UNCALIBRATED",
    "Beyond",
    "Calibration",
    "Chip",
    "Constants",
    "Design",
    "DesignSpace",
    "PartsArea",
    "Roofline",
    "Template",
    "TensorCore",
    "Tiles",
    "VectorCore",
    "count_feasible",
    "covered",
    "dump_design",
    "files_read",
    "load_accelerator",
    "peaks",
    "read_accelerator",
    "smallest",
    "template_from_mapping",
    "template_of",
    "types_of",
]
