"""Inputs: every file that a study names, read once and checked before anything is computed.

Nothing else reads them: what a run needs later is in the ``Inputs``, so that a file that changes or goes away during
a run cannot change the answer or throw it away. The exception is ZigZag's cache, which a run writes as well.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from accmine.cost import Source, pace, resolve_timing, unstated
from accmine.errors import Complaint, InputError
from accmine.files import Document, content_hash, is_file_reference, placed
from accmine.hardware import (
    Beyond,
    Chip,
    Design,
    Template,
    chosen,
    costed,
    covered,
    covering,
    design_of,
    facts_of,
    files_read,
    needs,
    read_accelerator,
    refuse_anchor,
    some_of,
    template_from_mapping,
)
from accmine.hardware.technology import Technology, load_technology
from accmine.study.sources import source_of
from accmine.study.sparse.keys import SparseStudy
from accmine.study.study import LoadedStudy, Study, as_mapping
from accmine.system import Cluster, load_cluster
from accmine.workload import ModelDescription, load_model

__all__ = ["VARIANTS", "Inputs", "content_of", "read_inputs", "referenced_files", "study_hash"]

T = TypeVar("T")

VARIANTS = {
    "tpu-16nm": "tpu-16nm-multiplier",
    "tpu-16nm-multiplier": "tpu-16nm",
    "accelerator-16nm": "tpu-16nm",
}
"""The technology under which the winner is looked at again."""

ALIASES = {"tensor_rows": "tensor_dim", "tensor_cols": "tensor_dim"}
"""Tunable -> the key that may give it in its place."""

MOST_NAMED = 8
"""Values that a sentence lists."""


@dataclass(frozen=True, eq=False)
class Inputs:
    """What the files say that a study names.

    Attributes
    ----------
    models
        Of each workload.
    template
        Designs to choose from; without the values that the technology does not cover.
    template_file
        The file that ``accelerator.use`` names.
    technology, variant
        The study's, and the other one under which the answer is looked at again (``None``: none is known).
    cluster
        ``None`` where the study names none.
    baseline
        What throughput is relative to.
    baselines
        Name and design of each reference that the technology covers.
    source
        What gives costs beside the model; ``None`` for the model alone.
    left_out
        What the study asks for and the technology does not cover, and what was taken where the study or a chip does
        not say; a sentence each.
    content
        File -> SHA-256 (hex) of what was in it.
    """

    models: tuple[ModelDescription, ...]
    template: Template
    template_file: Document
    technology: Technology
    variant: Technology | None
    cluster: Cluster | None
    baseline: Design
    baselines: tuple[tuple[str, Design], ...]
    source: Source | None
    left_out: tuple[str, ...] = ()
    content: Mapping[str, str] = field(default_factory=dict)


def read_inputs(asked: Study | LoadedStudy) -> Inputs:
    """Read and check every file that a study names.

    Parameters
    ----------
    asked
        A study as it was loaded: complaints about its keys then name file, line and column.

    Raises
    ------
    InputError
        With everything that is wrong, each with its place.
    """
    study = asked.study if isinstance(asked, LoadedStudy) else asked
    with placed(asked.document) if isinstance(asked, LoadedStudy) else nullcontext():
        return _inputs(study)


class _Complaints:
    """Collects what is wrong in all files before any of it is raised."""

    def __init__(self) -> None:
        self.found: list[Complaint] = []

    @contextmanager
    def about(self, field: str) -> Iterator[None]:
        """Keep complaints; those that name no place and no key are about ``field``."""
        try:
            yield
        except InputError as error:
            self.found += [c if c.where or c.field else Complaint("", field, c.message) for c in error.complaints]

    def read(self, field: str, function: Callable[..., T], *arguments: Any) -> T | None:
        """What a reader says; ``None`` where it complains."""
        with self.about(field):
            return function(*arguments)
        return None


def _inputs(study: Study) -> Inputs:
    wrong, left_out = _Complaints(), list[str]()
    models = [wrong.read(f"workloads.{i}.use", load_model, w.use) for i, w in enumerate(study.workloads)]
    given = None if study.technology is None else wrong.read("technology", load_technology, study.technology)
    link = study.system.cluster
    cluster = None if link is None else wrong.read("system.cluster", load_cluster, link)
    if cluster is not None:
        wrong.read("system.cluster", cluster.require, study.devices)
    compared = wrong.read("baseline", _timed, study.baseline)
    named = [(n, wrong.read(f"baselines.{i}", _timed, n)) for i, n in enumerate(study.baselines)]
    file = wrong.read("accelerator.use", read_accelerator, study.accelerator.use)
    if file is not None:
        wrong.read("accelerator.use", refuse_anchor, file)
    template = None if file is None else wrong.read("accelerator", _template, study, file)
    if (given is None and study.technology is not None) or template is None or file is None or compared is None:
        raise InputError(wrong.found)
    baseline = design_of(compared)
    technology = given or _chosen(study, template, baseline, [file, compared], left_out)
    with wrong.about("accelerator"):
        template = _covered(study, template, file, technology, left_out)
    wrong.read("baseline", costed, study.baseline, baseline, technology)
    left_out += _types(study, template, baseline, wrong)
    references = [(name, design_of(document)) for name, document in named if document is not None]
    for name, design in list(references):
        try:
            costed(name, design, technology)
            _paced(study, name, design)
        except InputError as error:  # a comparison, without which there is an answer all the same
            references.remove((name, design))
            left_out.append(f"baselines: {error.complaints[0].message}; nothing is compared with it")
    at = "cost.architecture" if study.cost.use == "kernel" else "cost.file"
    source = None if wrong.found else wrong.read(at, source_of, study, technology, template, baseline, left_out)
    with wrong.about("accelerator"):
        _check_stacks(template, technology)
    if wrong.found:
        raise InputError(wrong.found)
    other = VARIANTS.get(study.technology or technology.name)
    return Inputs(
        models=tuple(model for model in models if model is not None),
        template=template,
        template_file=file,
        technology=technology,
        variant=None if other is None else load_technology(other),
        cluster=cluster,
        baseline=baseline,
        baselines=tuple(references),
        source=source,
        left_out=tuple(left_out),
        content=content_of(study),
    )


def _timed(name: str) -> Document:
    """The file of a design that others are compared with."""
    document = read_accelerator(name)
    refuse_anchor(document)
    design_of(document)
    return document


def _chosen(
    study: Study, template: Template, baseline: Design, files: Sequence[Document], told: list[str]
) -> Technology:
    """The technology of a study that names none."""

    def covers(technology: Technology) -> None:
        some_of(template, technology)
        needs(baseline, technology)

    technology, why = chosen([facts_of(file).technology for file in files], covers)
    if why:
        told.append(f"technology: {technology.name} is taken, as the study names none: {why}")
    return technology


def _paced(study: Study, name: str, design: Design) -> None:
    """Refuse a design that does not multiply a type of the study."""
    try:
        for workload in study.workloads:
            pace(workload.dtype, design.tensor.rates, resolve_timing(study.timing))
    except InputError as error:
        raise InputError(f"{name}: {error.complaints[0].message}") from None


def _types(study: Study, template: Template, baseline: Design, wrong: _Complaints) -> list[str]:
    """What is said of types of products for which the accelerator or the baseline states no rate."""
    timing, told = resolve_timing(study.timing), list[str]()
    for i, workload in enumerate(study.workloads):
        for name, rates in (("accelerator", template.tensor_rates), (study.baseline, baseline.tensor.rates)):
            try:
                told += [f"{name}: {sentence}" for sentence in unstated([workload.dtype], rates, timing)]
            except InputError as error:
                message = f"{name}: {error.complaints[0].message}"
                wrong.found.append(Complaint("", f"workloads.{i}.dtype", message))
    return list(dict.fromkeys(told))


def _template(study: Study, file: Document) -> Template:
    return template_from_mapping(study.accelerator.mapping(), where="accelerator", document=file)


def _covered(study: Study, whole: Template, file: Document, technology: Technology, told: list[str]) -> Template:
    """The template without the values that the technology does not cover, which are told."""
    try:
        template, beyond = covered(whole, technology)
    except InputError as error:
        others = covering(lambda other: some_of(whole, other))
        raise InputError(f"{error.complaints[0].message}; {others}") from None
    told += _beyond(beyond, study, file, whole)
    return template


def _beyond(beyond: Sequence[Beyond], study: Study, file: Document, template: Template) -> list[str]:
    """A sentence for the values of each tunable that are left out.

    Raises
    ------
    InputError
        Where the technology covers no value of a tunable, with the place that says so.
    """
    given = study.accelerator.mapping()
    wrong, found = [], []
    for item in beyond:
        key = next((k for k in (item.key, ALIASES.get(item.key, "")) if k in given or k in file.data), item.key)
        where = "" if key in given else file.locate((key,))
        field = f"accelerator.{key}" if key in given else key
        if item.every:
            others = covering(lambda technology: some_of(template, technology))
            wrong.append(Complaint(where, field, f"{item.why}; {others}"))
            continue
        values = ", ".join(item.values[:MOST_NAMED]) + (", …" if len(item.values) > MOST_NAMED else "")
        at = f" ({where})" if where else ""
        found.append(f"{field}{at}: {values} left out: {item.why}")
    if wrong:
        raise InputError(wrong)
    return found


def _check_stacks(template: Template, technology: Technology) -> None:
    """Stacks of the template are those whose area and power the technology has.

    Raises
    ------
    InputError
        If the technology would count another number of stacks.
    """
    size, rate = template.hbm_stack or (0, 0)
    for capacity, bandwidth in template.memories if size else ():
        counted = technology.area.stacks(Chip(capacity, bandwidth, template.frequency_hz[0]))
        if counted not in (0, capacity // size):  # 0: the law has no HBM
            raise InputError(
                f"{size / 2**30:g} GiB and {rate / 1e9:g} GB/s: technology {technology.name} counts {counted} stacks "
                f"of its own for {capacity // size} of these; give the stacks of its area law (constants hbm_stack_…)",
                field="accelerator.hbm_stack",
            )


def referenced_files(study: Study | SparseStudy) -> tuple[Path, ...]:
    """The user's own files that the study names, sorted."""
    if isinstance(study, SparseStudy):
        return study.files
    references = [study.baseline, study.accelerator.use, *study.baselines]
    references += [study.technology] if study.technology else []
    references += [workload.use for workload in study.workloads]
    references += [study.system.cluster] if study.system.cluster else []
    own = {Path(name) for name in references if is_file_reference(name)}
    own |= {Path(study.cost.file)} if study.cost.file else set()
    own |= {Path(name) for name in [study.cost.architecture or ""] if is_file_reference(name)}
    if study.technology is not None and is_file_reference(study.technology):
        own |= set(files_read(Path(study.technology)))
    return tuple(sorted(own))


def content_of(study: Study | SparseStudy) -> dict[str, str]:
    """File -> SHA-256 (hex) of its content, of the user's files that the study names."""
    return {str(path): content_hash(path) for path in referenced_files(study)}


def study_hash(study: Study | SparseStudy, content: Mapping[str, str] | None = None) -> str:
    """SHA-256 (hex) of the effective study and the content of the user's files it names, wherever they lie.

    Parameters
    ----------
    content
        Of these files, where they were read already (``Inputs.content``).
    """
    known = content_of(study) if content is None else content
    table = _walk(as_mapping(study), lambda text: known.get(text, text))
    # A technology is read from further files, which no key names.
    more = sorted(set(known.values()))
    return hashlib.sha256(json.dumps([table, more], sort_keys=True).encode()).hexdigest()


def _walk(value: Any, visit: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {key: _walk(item, visit) for key, item in value.items()}
    if isinstance(value, list):
        return [_walk(item, visit) for item in value]
    return visit(value) if isinstance(value, str) else value
