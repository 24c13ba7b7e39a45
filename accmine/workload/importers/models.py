"""Models by name or file: the zoo, YAML descriptions of one's own, and Hugging Face ``config.json`` files.

A description is one YAML file: ``family`` with the numbers of a transformer (``bert``, ``gpt2``, ``opt``,
``llama``; keys in ``accmine.workload.importers.transformer_config.FIELDS``) or of a recurrent translator (``gnmt``), or
``family: convnet`` with a list of layers (``accmine.workload.importers.layer_list``). The zoo is written in the same
language: ``configs/workloads``. A JSON file with ``model_type`` is read as a Hugging Face configuration.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property, lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from accmine.errors import Complaint, InputError
from accmine.workload.collector import collector_paused
from accmine.workload.forward.attention import SPLITS
from accmine.workload.forward.convnet import ConvnetConfig, convnet_graph, read_convnet
from accmine.workload.forward.recurrent import RecurrentConfig, read_recurrent, recurrent_graph
from accmine.workload.forward.transformer import transformer_graph
from accmine.workload.graph import OperatorGraph
from accmine.workload.importers import transformer_config
from accmine.workload.importers.fields import POSITIVE, TEXT, Field, Source, choice, optional, read_fields, read_source
from accmine.workload.importers.huggingface import MODEL_TYPES, description_of
from accmine.workload.importers.transformer_config import TransformerConfig, read_transformer

__all__ = ["DTYPES", "FAMILIES", "ModelDescription", "forward_graph", "list_models", "load_model", "summary"]

FAMILIES = (*transformer_config.FAMILIES, "gnmt", "convnet")

DTYPES = ("bf16", "fp16", "fp32")
"""Element types a forward graph can be built in."""

LONGEST_DEFAULT = 4096
"""Default sequence of a description that gives none, where its positions reach further (tokens)."""

_COMMON: dict[str, Field] = {
    "name": Field(TEXT),
    "family": Field(choice(*FAMILIES)),
    "description": Field(TEXT, ""),
    "source": Field(TEXT, ""),
    "sequence": Field(optional(POSITIVE)),
    "image": Field(optional(POSITIVE)),
}
_PUBLISHED: dict[str, Field] = {"parameters": Field(optional(POSITIVE)), "forward_macs": Field(optional(POSITIVE))}


@dataclass(frozen=True)
class ModelDescription:
    """A model: what it is called, what it is made of, and where its numbers come from.

    Attributes
    ----------
    name, family
        Its name, and the family whose structure it has.
    config
        Its numbers and layers.
    sequence, image
        Default tokens per sample, or pixels per side of its images; one of the two is set.
    description, source
        In words; where the numbers come from.
    published
        (name, value) of published reference numbers: ``parameters`` of the checkpoint body and
        ``forward_macs`` of one sample at the default size.
    where
        File it was read from.
    """

    name: str
    family: str
    config: TransformerConfig | RecurrentConfig | ConvnetConfig
    sequence: int | None
    image: int | None
    description: str = ""
    source: str = ""
    published: tuple[tuple[str, int], ...] = ()
    where: str = ""

    @property
    def kind(self) -> str:
        """What a sample is: ``image`` or ``sequence``."""
        return "image" if isinstance(self.config, ConvnetConfig) else "sequence"

    @cached_property
    def _counts(self) -> tuple[int, int]:
        sequence = None if self.kind == "image" else 1
        graph = forward_graph(self, batch=1, sequence=sequence, split="none", dropout=False, loss=False)
        heads = sum(t.elements for t in graph.tensors if t.role == "parameter" and t.name.startswith("head."))
        return graph.parameters - heads, heads

    @property
    def parameters(self) -> int:
        """Trained elements of the checkpoint body, counted in the graph: no head that is dropped after training."""
        return self._counts[0]

    @property
    def head_parameters(self) -> int:
        """Trained elements of heads outside the checkpoint body (masked LM and next sentence of BERT)."""
        return self._counts[1]


def _zoo() -> Traversable:
    return files("accmine.configs") / "workloads"


def list_models() -> tuple[str, ...]:
    """Names of the zoo, sorted."""
    return tuple(sorted(entry.name[:-5] for entry in _zoo().iterdir() if entry.name.endswith(".yaml")))


def load_model(name_or_path: str | Path) -> ModelDescription:
    """A model of the zoo by name, or one's own by the path of its description.

    Parameters
    ----------
    name_or_path
        A name of ``list_models()``; or a YAML description; or a Hugging Face ``config.json`` (or the
        folder that holds one).

    Raises
    ------
    InputError
        If the name is unknown, or the file is missing or wrong: every complaint with its position.
    """
    text = os.fspath(name_or_path)
    path = Path(text)
    looks_like_path = path.suffix in {".yaml", ".yml", ".json"} or os.sep in text
    if isinstance(name_or_path, str) and not looks_like_path and (text in list_models() or not path.exists()):
        return _load_zoo(text)
    if path.is_dir():
        path = path / "config.json"
    if not path.is_file():
        raise InputError("no such file", where=str(path))
    return _load(read_source(path), path.stem)


@lru_cache(maxsize=64)
def _load_zoo(name: str) -> ModelDescription:
    known = list_models()
    if name not in known:
        close = get_close_matches(name, known, 1)
        hint = f"; did you mean {close[0]}?" if close else ""
        message = f"unknown model {name!r}{hint} Known: {', '.join(known)}, or the path of a .yaml or config.json"
        raise InputError(message.replace("' Known", "'. Known"))
    return _load(read_source(_zoo() / f"{name}.yaml", f"workloads/{name}.yaml"), name)


def _load(source: Source, stem: str) -> ModelDescription:
    """The model in a file."""
    if "model_type" in source.data and "family" not in source.data:
        model = _from_huggingface(source, stem)
    else:
        model = _from_description(source, stem)
    if model.kind == "image":
        forward_graph(model, batch=1)  # shapes that do not fit are found now, not when it is used
    return model


def _from_description(source: Source, stem: str) -> ModelDescription:
    data = source.data
    own = {key: value for key, value in data.items() if key in _COMMON}
    common = read_fields(source, (), own, _COMMON)
    family = common["family"] or ("convnet" if "layers" in data and isinstance(data["layers"], list) else None)
    if family is None and "family" not in data:
        source.complain(("family",), f"missing; one of {', '.join(FAMILIES)} is required")
    published = read_fields(source, ("published",), data.get("published", {}), _PUBLISHED)
    present = (*_COMMON, "published")
    config: TransformerConfig | RecurrentConfig | ConvnetConfig | None = None
    sequence, image = common["sequence"], common["image"]
    if family == "convnet":
        config = read_convnet(source, data, present)
        if image is None:
            source.complain(("image",), "missing; pixels per side of an image are required")
        if sequence is not None:
            source.complain(("sequence",), "a model of images has no sequence; allowed: image")
    elif family is not None:
        config = (
            read_recurrent(source, data, present)
            if family == "gnmt"
            else read_transformer(source, data, family, present)
        )
        if image is not None:
            source.complain(("image",), "a model of sequences has no image; allowed: sequence")
        sequence = sequence or _default_sequence(config)
    if isinstance(config, TransformerConfig) and sequence is not None:
        _check_sequence(config, sequence, source.complaint(("sequence",), "").where, source)
    source.finish()
    assert config is not None  # without complaints there is a description
    return ModelDescription(
        name=common["name"] or stem,
        family=str(family),
        config=config,
        sequence=sequence,
        image=image,
        description=common["description"],
        source=common["source"],
        published=tuple((key, value) for key, value in published.items() if value is not None),
        where=source.file,
    )


def _from_huggingface(source: Source, stem: str) -> ModelDescription:
    found = description_of(source)
    source.finish()
    assert found is not None  # without complaints there is a description
    family, data = found
    # Complaints about numbers that do not fit each other are said in the words of the file.
    inner = Source(source.file, data)
    config = read_transformer(inner, data, family, ())
    for complaint in inner.complaints:
        key = MODEL_TYPES[family][complaint.field][0] if complaint.field in MODEL_TYPES[family] else complaint.field
        source.complain((key,), complaint.message)
    source.finish()
    assert config is not None  # without complaints there is a description
    given = source.data.get("_name_or_path")
    title = Path(given).name if isinstance(given, str) else ""
    folder = Path(source.file).resolve().parent.name
    return ModelDescription(
        name=title or (folder if stem == "config" else stem),
        family=family,
        config=config,
        sequence=_default_sequence(config),
        image=None,
        description="Hugging Face configuration",
        source=source.file,
        where=source.file,
    )


def _default_sequence(config: TransformerConfig | RecurrentConfig | None) -> int:
    return min(config.positions, LONGEST_DEFAULT) if isinstance(config, TransformerConfig) else 50


def _check_sequence(config: TransformerConfig, sequence: int, where: str, source: Source | None = None) -> None:
    """Refuse more tokens than there are learned positions."""
    if config.position_embedding == "learned" and sequence > config.positions:
        message = f"{sequence} tokens are more than the {config.positions} learned positions; allowed: at most these"
        complaint = Complaint(where, "sequence", message)
        if source is None:
            raise InputError([complaint])
        source.complaints.append(complaint)


def forward_graph(
    model: ModelDescription,
    *,
    batch: int,
    sequence: int | None = None,
    image: int | None = None,
    split: str = "heads",
    dropout: bool = True,
    loss: bool = True,
    dtype: str = "bf16",
) -> OperatorGraph:
    """Forward graph of one microbatch, with the training head.

    Parameters
    ----------
    model
        From ``load_model``.
    batch
        Samples in the microbatch.
    sequence, image
        Tokens per sample, or pixels per side; the model's default when ``None``.
    split
        Granularity of attention: ``none`` (one batched chain), ``heads`` (a chain per head) or
        ``samples`` (a chain per sample). Models without attention are the same for all three.
    dropout
        Whether dropout operators are there.
    loss
        Whether the graph ends in its cross-entropy operator(s).
    dtype
        Of weights and activations: ``bf16``, ``fp16`` or ``fp32``.

    Raises
    ------
    InputError
        If an argument does not fit the model; says what is allowed.
    """
    for field, value in (("batch", batch), ("sequence", sequence), ("image", image)):
        if value is not None and not POSITIVE.test(value):
            raise InputError(f"{POSITIVE.words} is expected, got {value!r}", field=field)
    for field, text, allowed in (("split", split, SPLITS), ("dtype", dtype, DTYPES)):
        if text not in allowed:
            raise InputError(f"unknown {field} {text!r}; allowed: {', '.join(allowed)}", field=field)
    with collector_paused():
        return _forward_graph(model, batch, sequence, image, split, dropout, loss, dtype)


def _forward_graph(
    model: ModelDescription,
    batch: int,
    sequence: int | None,
    image: int | None,
    split: str,
    dropout: bool,
    loss: bool,
    dtype: str,
) -> OperatorGraph:
    config = model.config
    if isinstance(config, ConvnetConfig):
        if sequence is not None:
            raise InputError(f"{model.name} is a model of images; allowed: image", field="sequence")
        pixels = image or model.image or 0
        return convnet_graph(config, model.name, batch=batch, image=pixels, dropout=dropout, loss=loss, dtype=dtype)
    if image is not None:
        raise InputError(f"{model.name} is a model of sequences; allowed: sequence", field="image")
    sizes: dict[str, Any] = {"batch": batch, "sequence": sequence or model.sequence, "split": split}
    sizes |= {"dropout": dropout, "loss": loss, "dtype": dtype}
    if isinstance(config, RecurrentConfig):
        return recurrent_graph(config, model.name, **sizes)
    _check_sequence(config, sizes["sequence"], "")
    return transformer_graph(config, model.name, **sizes)


def summary(model: ModelDescription) -> dict[str, str | int]:
    """Figures of a model for a listing, JSON-ready.

    Returns
    -------
    dict
        ``name``, ``family``, ``parameters`` and ``head_parameters``; ``forward_macs`` of one sample at the
        default ``sequence`` or ``image``, heads included; ``layers`` of the chain at which a pipeline may
        be cut; ``operators`` of the forward graph with ``split: none``.
    """
    graph = forward_graph(model, batch=1, split="none")
    size = model.image if model.kind == "image" else model.sequence
    return {
        "name": model.name,
        "family": model.family,
        model.kind: size or 0,
        "parameters": model.parameters,
        "head_parameters": model.head_parameters,
        "forward_macs": graph.macs,
        "layers": len(graph.layers),
        "operators": len(graph),
    }
