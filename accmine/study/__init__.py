"""What a user asks: the keys of a study, and the values they take."""

from accmine.study.inputs import Inputs, read_inputs, study_hash
from accmine.study.parts import HEURISTIC_OPTIONS
from accmine.study.reference import study_reference
from accmine.study.study import (
    BLOCKS,
    KINDS,
    LoadedStudy,
    Search,
    Study,
    StudyWorkload,
    as_mapping,
    block_of,
    effective,
    kind_of,
    load_study,
    read_document,
    schema,
    study_in,
)
from accmine.study.suite import load_suite, overridden
from accmine.study.sweep import LoadedSweep, SweepPoint, load_sweep, sweep_in

__all__ = [
    "BLOCKS",
    "HEURISTIC_OPTIONS",
    "KINDS",
    "Inputs",
    "LoadedStudy",
    "LoadedSweep",
    "Search",
    "Study",
    "StudyWorkload",
    "SweepPoint",
    "as_mapping",
    "block_of",
    "effective",
    "kind_of",
    "load_study",
    "load_suite",
    "load_sweep",
    "overridden",
    "read_document",
    "read_inputs",
    "schema",
    "study_hash",
    "study_in",
    "study_reference",
    "sweep_in",
]
