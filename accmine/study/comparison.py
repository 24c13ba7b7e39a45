"""The ``compare:`` block of a document: which searches are compared on which studies, with which seeds and limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from accmine.errors import InputError
from accmine.files import Document, FieldsError, validate
from accmine.study.precision import Part
from accmine.study.study import LoadedStudy, Study, block_of, read_document, study_in
from accmine.study.values import AcceleratorName, Text

__all__ = ["BLOCK", "Comparison", "LoadedComparison", "load_comparison"]

BLOCK = "compare"
"""Key of the block in a document."""

_BESIDE = ("name", "description", BLOCK)
"""Keys that a comparison over a suite may have; the studies are those of the suite."""


class Comparison(Part):
    """Searches on equal terms."""

    suite: Text | None = Field(default=None, description="Shipped table of studies; default: the study itself.")
    models: tuple[Text, ...] = Field(default=(), description="Models of the suite; default: all.")
    metrics: tuple[Text, ...] = Field(default=(), description="Metrics of the suite; default: all.")
    methods: Annotated[tuple[Text, ...], Field(min_length=1)] = Field(
        default=("wham-like", "best-first", "tpe", "gp-features", "ga", "random"),
        description="Solvers of design searches.",
    )
    seeds: Annotated[int, Field(ge=1, le=1000)] = Field(default=3, description="Seeds 0, 1, … of searches that draw.")
    seconds: Annotated[float, Field(strict=True, gt=0)] | None = Field(
        default=None, json_schema_extra={"unit": "s"}, description="Wall-clock limit of every search."
    )
    evaluations: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="List schedules that every search may make, in evaluations of a design."
    )
    fixed: tuple[AcceleratorName, ...] = Field(
        default=("tpuv2-like", "nvdla-like"), description="Chips that are rows beside the searches."
    )

    @model_validator(mode="after")
    def _cross(self) -> Self:
        errors: list[tuple[tuple[str | int, ...], str]] = []
        for key in ("models", "metrics"):
            if self.suite is None and getattr(self, key):
                errors.append(((key,), "chooses rows of a suite; give compare.suite as well"))
        for key in ("methods", "fixed"):
            names = getattr(self, key)
            errors += [((key, i), f"{n!r} is named twice") for i, n in enumerate(names) if n in names[:i]]
        if errors:
            raise FieldsError(errors)
        return self

    @property
    def limits(self) -> tuple[float | None, int | None]:
        """Seconds and evaluations of every search; 10 seconds where neither is given."""
        return (10.0, None) if self.seconds is None and self.evaluations is None else (self.seconds, self.evaluations)


class _OverSuite(Part):
    """A document that compares over a suite."""

    name: Text
    description: str = ""
    compare: Comparison


class _Alone(Part):
    """The block alone, whatever stands beside it."""

    compare: Comparison = Comparison()


@dataclass(frozen=True)
class LoadedComparison:
    """A comparison with the study that it is about.

    Attributes
    ----------
    loaded
        The study; ``None`` where the studies are those of a suite.
    """

    name: str
    compare: Comparison
    loaded: LoadedStudy | None


def _over_suite(document: Document) -> bool:
    """Whether the studies are those of a suite."""
    block = document.data.get(BLOCK) if isinstance(document.data, dict) else None
    return isinstance(block, dict) and block.get("suite") is not None


def load_comparison(
    name_or_path: str | Path, overrides: Sequence[str] = (), *, study: Sequence[str] = ()
) -> LoadedComparison:
    """Read a document with or without the block; without, the study is compared with the defaults.

    Parameters
    ----------
    overrides
        ``key=value`` of the document.
    study
        Those of the study beside the block; where the studies are those of a suite, they are for the caller.

    Raises
    ------
    InputError
        With everything that is wrong.
    """
    document, path = read_document(name_or_path, overrides)
    if not _over_suite(document):
        document, path = read_document(name_or_path, [*overrides, *study])
        own = {BLOCK: document.data[BLOCK]} if block_of(document) == BLOCK else {}
        compare = validate(replace(document, data=own), _Alone).compare
        loaded = study_in(document, path)
        return LoadedComparison(loaded.study.name, compare, loaded)
    data = document.data
    beside = [key for key in data if key in Study.model_fields and key not in _BESIDE]
    if beside:
        message = f"has no effect beside compare.suite, whose studies are given; allowed: {', '.join(_BESIDE)}"
        raise InputError(message, document.locate((beside[0],), key=True), beside[0])
    found = validate(document, _OverSuite)
    return LoadedComparison(found.name, found.compare, None)
