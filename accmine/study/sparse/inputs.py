"""What the files say that a study of a sparse dataflow accelerator names, read once before anything is computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from accmine.errors import Complaint, InputError
from accmine.files import Document, content_hash, placed, validate
from accmine.sparse.cuts import places_to_cut
from accmine.sparse.device import Device, load_device
from accmine.sparse.engine import EngineModel, load_engine_model
from accmine.sparse.layer import Layer
from accmine.sparse.levels import levels_of_arrays, levels_of_table, synthetic_levels
from accmine.sparse.network import network_layers
from accmine.study.sparse.keys import Network, SparseStudy
from accmine.workload import forward_graph, load_model

__all__ = ["LoadedSparse", "SparseInputs", "read_sparse", "sparse_in"]

T = TypeVar("T")


@dataclass(frozen=True)
class LoadedSparse:
    """A valid study, the document it was read from, and its file."""

    study: SparseStudy
    document: Document
    path: Path


@dataclass(frozen=True, eq=False)
class SparseInputs:
    """What the files say that a study names.

    Attributes
    ----------
    layers, edges
        Of the network, with the levels to choose from; pairs of indices between which data flow. Empty where a run
        makes the network itself (``accuracy.use``).
    unpruned
        The layers with the one level at which no product is zero.
    devices
        In their order; one, where the study has no ``devices``.
    content
        File -> SHA-256 (hex) of what was in it, of the user's files.
    """

    layers: tuple[Layer, ...]
    edges: tuple[tuple[int, int], ...]
    unpruned: tuple[Layer, ...]
    devices: tuple[Device, ...]
    model: EngineModel
    content: Mapping[str, str] = field(default_factory=dict)

    @property
    def device(self) -> Device:
        """The only device.

        Raises
        ------
        ValueError
            If there are several.
        """
        (own,) = self.devices
        return own


def sparse_in(document: Document, path: Path) -> LoadedSparse:
    """The study of a document whose ``kind`` says that it is one of these.

    Raises
    ------
    InputError
        With everything that is wrong.
    """
    return LoadedSparse(validate(document, SparseStudy, context={"folder": path.parent}), document, path)


def read_sparse(loaded: LoadedSparse) -> SparseInputs:
    """Read and check every file that a study names.

    Raises
    ------
    InputError
        With everything that is wrong, each with its place.
    """
    study, wrong = loaded.study, list[Complaint]()
    found = ((), ()) if study.network is None else _read(wrong, "network", _network, study.network)
    keys = ["device"] if study.devices is None else [f"devices.{i}" for i in range(len(study.devices))]
    devices = [_read(wrong, key, load_device, site.use) for key, site in zip(keys, study.sites, strict=True)]
    model = _read(wrong, "engine_model", load_engine_model, study.engine_model)
    layers = None if found is None else _read(wrong, "levels", _levelled, study, found[0])
    if found is not None and study.devices is not None:
        _read(wrong, "devices", places_to_cut, len(found[0]), found[1], len(devices))
    own = tuple(device for device in devices if device is not None)
    if wrong or found is None or model is None or layers is None:
        with placed(loaded.document):
            raise InputError(wrong)
    content = {str(path): content_hash(path) for path in (*study.files, *_callback(loaded))}
    return SparseInputs(layers, found[1], found[0], own, replace(model, **study.precision.mapping()), content)


def _read(wrong: list[Complaint], key: str, function: Callable[..., T], *arguments: object) -> T | None:
    """What a reader says; ``None`` where it complains, about ``key`` unless it names a place."""
    try:
        return function(*arguments)
    except InputError as error:
        wrong += [c if c.where else Complaint("", key, _about(key, c)) for c in error.complaints]
        return None


def _about(key: str, complaint: Complaint) -> str:
    """A message with the field that it is about, where that is another one."""
    return complaint.message if complaint.field in ("", key) else f"{complaint.field}: {complaint.message}"


def _network(network: Network) -> tuple[tuple[Layer, ...], tuple[tuple[int, int], ...]]:
    model = load_model(network.use)
    graph = forward_graph(model, batch=1, dropout=False, loss=False, image=network.image)
    return network_layers(graph, network.cluster)


def _callback(loaded: LoadedSparse) -> list[Path]:
    """The module of the callback, where it lies beside the study."""
    own = loaded.study.accuracy
    if own is None or own.callback is None:
        return []
    inside = own.callback.partition(":")[0].replace(".", "/")
    places = [loaded.path.parent / f"{inside}.py", loaded.path.parent / inside / "__init__.py"]
    return [place for place in places if place.is_file()]


def _levelled(study: SparseStudy, layers: Sequence[Layer]) -> tuple[Layer, ...]:
    own = study.levels
    if own is None:
        return tuple(layers)
    if own.table is not None:
        return levels_of_table(own.table, layers)
    if own.arrays is not None:
        given = own.arrays
        return levels_of_arrays(given.file, layers, given.count, most_pruned=given.most_pruned)
    assert own.synthetic is not None
    made = own.synthetic
    return synthetic_levels(layers, made.count, weights=made.weights, most_pruned=made.most_pruned)
