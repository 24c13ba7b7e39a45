"""Hardware: designs, templates and their spaces, technologies, and the catalogue of accelerators."""

from accmine.hardware.accelerators import design_of, dump_design, load_accelerator, peaks
from accmine.hardware.calibration import UNCALIBRATED, Calibration, Constants, Tiles
from accmine.hardware.coverage import DEFAULT_TECHNOLOGY, Beyond, chosen, costed, covered, covering, needs, some_of
from accmine.hardware.design import (
    DATAFLOW_CHOICES,
    DATAFLOWS,
    FLEXIBLE,
    Design,
    TensorCore,
    VectorCore,
)
from accmine.hardware.facts import Facts, facts_of, refuse_anchor
from accmine.hardware.precision import DTYPES, Rates, checked_rates
from accmine.hardware.roofline import Roofline
from accmine.hardware.space import DesignSpace, count_feasible, smallest, types_of
from accmine.hardware.technology.area import Chip, PartsArea
from accmine.hardware.technology.file import files_read
from accmine.hardware.template import Template, read_accelerator, template_from_mapping, template_of

__all__ = [
    "DATAFLOWS",
    "DATAFLOW_CHOICES",
    "DEFAULT_TECHNOLOGY",
    "DTYPES",
    "FLEXIBLE",
    "UNCALIBRATED",
    "Beyond",
    "Calibration",
    "Chip",
    "Constants",
    "Design",
    "DesignSpace",
    "Facts",
    "PartsArea",
    "Rates",
    "Roofline",
    "Template",
    "TensorCore",
    "Tiles",
    "VectorCore",
    "checked_rates",
    "chosen",
    "costed",
    "count_feasible",
    "covered",
    "covering",
    "design_of",
    "dump_design",
    "facts_of",
    "files_read",
    "load_accelerator",
    "needs",
    "peaks",
    "read_accelerator",
    "refuse_anchor",
    "smallest",
    "some_of",
    "template_from_mapping",
    "template_of",
    "types_of",
]
