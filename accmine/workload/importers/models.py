"""Models by name or file: the zoo, YAML descriptions of one's own, and Hugging Face ``config.json`` files.

A description is one YAML file: ``family`` with the numbers of a transformer (``bert``, ``gpt2``, ``opt``,
``llama``; keys in ``accmine.workload.importers.transformer_config``) or of a recurrent translator (``gnmt``), or
``family: convnet`` with a list of layers (``accmine.workload.importers.layer_list``). The zoo is written in the same
language: ``configs/workloads``. A file with ``model_type`` is read as a Hugging Face configuration, one of another
kind by what a package registers for its suffix in the entry-point group ``accmine.importers``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, TypeAdapter, WithJsonSchema

from accmine.errors import Complaint, InputError
from accmine.files import Document, did_you_mean, load_yaml, looks_like, names, resolve, validate
from accmine.registry import importer_of
from accmine.workload.forward.convnet import ConvnetConfig
from accmine.workload.forward.recurrent import RecurrentConfig
from accmine.workload.graph import MOST_BYTES
from accmine.workload.importers import transformer_config
from accmine.workload.importers.description import DTYPES, ModelDescription, forward_graph, refuse_many, summary
from accmine.workload.importers.huggingface import guess, read_huggingface
from accmine.workload.importers.layer_list import read_layers
from accmine.workload.importers.layer_options import LAYERS
from accmine.workload.importers.transformer_config import TransformerConfig
from accmine.workload.importers.values import Part, Size

__all__ = [
    "DTYPES",
    "FAMILIES",
    "ModelDescription",
    "forward_graph",
    "list_models",
    "load_model",
    "model_schema",
    "summary",
]

FAMILIES = (*transformer_config.FAMILIES, "gnmt", "convnet")

LONGEST_DEFAULT = 4096
"""Default sequence of a description that gives none, where its positions reach further (tokens)."""

P = TypeVar("P", bound=Part)
_Many = Annotated[int, Field(strict=True, ge=1, le=MOST_BYTES)]


class _Published(Part):
    parameters: _Many | None = None
    forward_macs: _Many | None = None


class _Described(Part):
    """What every description may say."""

    name: Annotated[str, Field(strict=True, min_length=1)] | None = None
    description: Annotated[str, Field(strict=True)] = ""
    source: Annotated[str, Field(strict=True)] = ""
    published: _Published = _Published()


class _Transformer(_Described, TransformerConfig):
    sequence: Size | None = None


class _Recurrent(_Described, RecurrentConfig):
    family: Literal["gnmt"]
    sequence: Size = 50


_LAYER = {"anyOf": [{"enum": sorted(LAYERS)}, {"type": "string"}, {"type": "object"}]}
"""A shipped layer by name, a block by name, or either with options."""


class _Convnet(_Described):
    family: Literal["convnet"] = "convnet"
    image: Size
    channels: Size = 3
    blocks: Annotated[Any, WithJsonSchema({"type": "object"})] = None
    layers: Annotated[Any, WithJsonSchema({"type": "array", "items": _LAYER, "minItems": 1})]


def model_schema() -> dict[str, Any]:
    """JSON schema of a description of a model."""
    found: dict[str, Any] = TypeAdapter(_Transformer | _Recurrent | _Convnet).json_schema()
    return found


def list_models() -> tuple[str, ...]:
    """Names of the zoo, sorted."""
    return names("workloads")


def load_model(name_or_path: str | Path) -> ModelDescription:
    """A model of the zoo by name, or one's own by the path of its description.

    Parameters
    ----------
    name_or_path
        A name of ``list_models()``; or a YAML description; or a Hugging Face ``config.json`` (or the
        folder that holds one); or a file with a suffix that an importer of another package reads.

    Raises
    ------
    InputError
        If the name is unknown, or the file is missing or wrong: every complaint with its position.
    """
    text = os.fspath(name_or_path)
    path = Path(text)
    reader = importer_of(path.suffix)
    looks_like_path = path.suffix in {".yaml", ".yml", ".json"} or os.sep in text or reader is not None
    if isinstance(name_or_path, str) and not looks_like_path and (text in list_models() or not path.exists()):
        return _load_zoo(text)
    if reader is not None:
        return _load(Document(dict(reader(path)), text, "", path))
    return _load(load_yaml(path / "config.json" if path.is_dir() else path))


@lru_cache(maxsize=64)
def _load_zoo(name: str) -> ModelDescription:
    known = list_models()
    if name not in known:
        hint = did_you_mean(name, known)
        raise InputError(
            f"unknown model {name!r}; {hint}known: {', '.join(known)}, or the path of a .yaml or config.json"
        )
    return _load(load_yaml(resolve("workloads", name), name=f"workloads/{name}.yaml"))


def _load(document: Document) -> ModelDescription:
    """The model in a file; sizes that are too large and shapes that do not fit are found here."""
    data = document.data
    known = looks_like(document.text, document.path)
    hint = "" if known is None else f"; this looks like {known}"
    if not isinstance(data, dict):
        raise InputError(f"must be a mapping of keys to values{hint}", where=document.locate())
    if "model_type" in data and "family" not in data:
        return _from_huggingface(document)
    family = data.get("family", "convnet" if isinstance(data.get("layers"), list) else None)
    if not isinstance(family, str) or family not in FAMILIES:
        if "family" in data:
            message, key = f"must be one of {', '.join(FAMILIES)}, got {family!r}", "family"
        elif message := guess(data):
            key = "model_type"
        else:
            message, key = f"is required: one of {', '.join(FAMILIES)}{hint}", "family"
        raise InputError(message, where=document.locate((key,)), field=key)
    if family == "convnet":
        return _layered(document)
    config: TransformerConfig | RecurrentConfig
    if family == "gnmt":
        translator = validate(document, _Recurrent)
        config = _part(translator, RecurrentConfig)
        return _described(document, translator, "gnmt", config, translator.sequence)
    transformer = validate(document, _Transformer)
    config = _part(transformer, TransformerConfig)
    sequence = transformer.sequence or _default_sequence(config)
    return _described(document, transformer, family, config, sequence)


def _part(whole: Part, model: type[P]) -> P:
    """The fields of ``model`` that ``whole``, one of its heirs, was given."""
    given = whole.model_fields_set & model.model_fields.keys()
    return model.model_validate({key: value for key, value in whole if key in given})


def _layered(document: Document) -> ModelDescription:
    complaints: list[Complaint] = []
    try:
        read = validate(document, _Convnet)
    except InputError as error:
        complaints += error.complaints
    try:
        layers = read_layers(document)
    except InputError as error:
        complaints += error.complaints
    if complaints:
        raise InputError(list(dict.fromkeys(complaints)))
    return _described(document, read, "convnet", ConvnetConfig(read.channels, layers), None, read.image)


def _described(
    document: Document,
    read: _Described,
    family: str,
    config: TransformerConfig | RecurrentConfig | ConvnetConfig,
    sequence: int | None,
    image: int | None = None,
    keys: Mapping[str, str] | None = None,
) -> ModelDescription:
    model = ModelDescription(
        name=read.name or Path(document.name).stem,
        family=family,
        config=config,
        sequence=sequence,
        image=image,
        description=read.description,
        source=read.source,
        published=tuple((key, value) for key, value in read.published if value is not None),
        where=document.name,
    )
    with _placed(document, model, keys or {}):
        _try(model)
    return model


def _from_huggingface(document: Document) -> ModelDescription:
    config, keys = read_huggingface(document)
    given, path = document.data.get("_name_or_path"), Path(document.name)
    title = Path(given).name if isinstance(given, str) else ""
    name = title or (path.resolve().parent.name if path.stem == "config" else path.stem)
    read = _Described(name=name or None, description="Hugging Face configuration", source=document.name)
    return _described(document, read, config.family, config, _default_sequence(config), keys=keys)


def _default_sequence(config: TransformerConfig) -> int:
    return max(min(config.positions, LONGEST_DEFAULT), config.window)


@contextmanager
def _placed(document: Document, model: ModelDescription, keys: Mapping[str, str]) -> Iterator[None]:
    """Give complaints about sizes the place of the key they are about, or else of the largest size they name."""
    try:
        yield
    except InputError as error:
        values = {"image": model.image, "sequence": model.sequence}
        if not isinstance(model.config, ConvnetConfig):
            values |= dict(model.config)
        sizes = {key: value for key, value in values.items() if type(value) is int}
        found = []
        for item in error.complaints:
            key = item.field or max(sizes, key=lambda name: (str(sizes[name]) in item.message, sizes[name]))
            key = keys.get(key, key)
            found.append(item if item.where else Complaint(document.locate((key,)), key, item.message))
        raise InputError(found) from None


def _try(model: ModelDescription) -> None:
    """Count what one sample makes, and build it: one layer of each kind where all of a kind are equal.

    Raises
    ------
    InputError
        If the model has too many operators, its sizes are too large, or its shapes do not fit.
    """
    config = model.config
    if isinstance(config, ConvnetConfig):
        forward_graph(model, batch=1)
        return
    sequence = model.sequence or 1
    refuse_many(config, 1, sequence, "none", True, True)
    one: TransformerConfig | RecurrentConfig
    if isinstance(config, TransformerConfig):
        dense = min(config.dense_layers, 1)
        one = config.model_copy(update={"layers": 1 + dense, "dense_layers": dense})
    else:
        one, sequence = config.model_copy(update={"encoder_layers": 2, "decoder_layers": 2}), 1
    forward_graph(replace(model, config=one), batch=1, sequence=sequence, split="none", loss=False, dtype="fp32")
