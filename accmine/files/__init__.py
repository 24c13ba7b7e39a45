"""What users write: documents whose values know their line, units, the catalogue."""

from accmine.files.catalogue import (
    KINDS,
    did_you_mean,
    entry_name,
    find_file,
    is_file_reference,
    names,
    path_of,
    reference_schema,
    resolve,
)
from accmine.files.complaints import FieldsError, complaints_of, derived, plain_annotation
from accmine.files.document import (
    Document,
    Place,
    is_json,
    leaves,
    load_yaml,
    overridden,
    parse,
    parse_value,
    placed,
    refuse_others,
    validate,
)
from accmine.files.reading import content_hash, read_text
from accmine.files.recognise import looks_like
from accmine.files.units import DIMENSIONS, allowed_units, format_quantity, parse_quantity, quantity_pattern
from accmine.files.writing import naming, write_atomic
from accmine.files.yaml_text import dump

__all__ = [
    "DIMENSIONS",
    "KINDS",
    "Document",
    "FieldsError",
    "Place",
    "allowed_units",
    "complaints_of",
    "content_hash",
    "derived",
    "did_you_mean",
    "dump",
    "entry_name",
    "find_file",
    "format_quantity",
    "is_file_reference",
    "is_json",
    "leaves",
    "load_yaml",
    "looks_like",
    "names",
    "naming",
    "overridden",
    "parse",
    "parse_quantity",
    "parse_value",
    "path_of",
    "placed",
    "plain_annotation",
    "quantity_pattern",
    "read_text",
    "reference_schema",
    "refuse_others",
    "resolve",
    "validate",
    "write_atomic",
]
