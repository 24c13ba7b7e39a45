"""What a user asks: the keys of a study, and the values they take."""

from accmine.study.inputs import Inputs, read_inputs, study_hash
from accmine.study.parts import HEURISTIC_OPTIONS
from accmine.study.reference import study_reference
from accmine.study.study import LoadedStudy, Search, Study, StudyWorkload, as_mapping, effective, load_study, schema
from accmine.study.suite import load_suite, overridden

__all__ = [
    "HEURISTIC_OPTIONS",
    "Inputs",
    "LoadedStudy",
    "Search",
    "Study",
    "StudyWorkload",
    "as_mapping",
    "effective",
    "load_study",
    "load_suite",
    "overridden",
    "read_inputs",
    "schema",
    "study_hash",
    "study_reference",
]
