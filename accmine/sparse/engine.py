"""Constants of the logic of engines: those of a catalogue file, each an estimate with a band."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StrictStr

from accmine.errors import Complaint, InputError
from accmine.files import Document, load_yaml, resolve, validate
from accmine.workload.importers.values import Part

__all__ = ["DEFAULT_MODEL", "MICRO", "EngineModel", "engine_schema", "load_engine_model", "micro", "read_engine_model"]


@dataclass(frozen=True)
class EngineModel:
    """Constants of logic and registers, each per unit that its name says; estimates.

    ``configs/engines/fixed16.yaml`` says what each is derived from.

    Attributes
    ----------
    data_bits, weight_bits, sum_bits
        Widths of activations, weights and sums.
    band
        (least, most) factor by which a synthesised design may differ in LUT and FF.
    source
        Where the constants come from.
    """

    data_bits: int = 16
    weight_bits: int = 16
    sum_bits: int = 32
    engine_lut: int = 60
    engine_ff: int = 90
    squeeze_lut_per_bit: float = 0.34
    crossbar_lut_per_bit: float = 0.34
    zero_lut_per_bit: float = 0.17
    select_lut_per_product: float = 2.0
    tree_lut_per_bit: float = 1.0
    tree_ff_per_bit: float = 1.0
    sum_lut_per_bit: float = 1.0
    window_ff_per_bit: float = 1.0
    window_lut_per_bit: float = 1.0
    buffer_lut: int = 20
    buffer_ff: int = 24
    adapter_lut_per_bit: float = 1.0
    adapter_ff_per_bit: float = 2.0
    band: tuple[float, float] = (0.6, 1.6)
    source: str = "derived from LUT6 structures, not synthesised"

    def as_mapping(self) -> Mapping[str, object]:
        """By name."""
        return {own.name: getattr(self, own.name) for own in fields(self)}


MICRO = 1_000_000


def micro(constant: float) -> int:
    """Millionths, in which sums of logic are exact whatever their order."""
    return round(constant * MICRO)


DEFAULT_MODEL = EngineModel()
"""Constants where nothing else is given."""

_Bits = Annotated[int, Field(strict=True, ge=1, le=64)]
_Count = Annotated[int, Field(strict=True, ge=0)]
_Share = Annotated[float, Field(strict=True, ge=0)]


class _Keys(Part):
    """A file: what is not given is that of ``DEFAULT_MODEL``."""

    name: Annotated[StrictStr, Field(min_length=1)]
    data_bits: _Bits = DEFAULT_MODEL.data_bits
    weight_bits: _Bits = DEFAULT_MODEL.weight_bits
    sum_bits: _Bits = DEFAULT_MODEL.sum_bits
    engine_lut: _Count = DEFAULT_MODEL.engine_lut
    engine_ff: _Count = DEFAULT_MODEL.engine_ff
    squeeze_lut_per_bit: _Share = DEFAULT_MODEL.squeeze_lut_per_bit
    crossbar_lut_per_bit: _Share = DEFAULT_MODEL.crossbar_lut_per_bit
    zero_lut_per_bit: _Share = DEFAULT_MODEL.zero_lut_per_bit
    select_lut_per_product: _Share = DEFAULT_MODEL.select_lut_per_product
    tree_lut_per_bit: _Share = DEFAULT_MODEL.tree_lut_per_bit
    tree_ff_per_bit: _Share = DEFAULT_MODEL.tree_ff_per_bit
    sum_lut_per_bit: _Share = DEFAULT_MODEL.sum_lut_per_bit
    window_ff_per_bit: _Share = DEFAULT_MODEL.window_ff_per_bit
    window_lut_per_bit: _Share = DEFAULT_MODEL.window_lut_per_bit
    buffer_lut: _Count = DEFAULT_MODEL.buffer_lut
    buffer_ff: _Count = DEFAULT_MODEL.buffer_ff
    adapter_lut_per_bit: _Share = DEFAULT_MODEL.adapter_lut_per_bit
    adapter_ff_per_bit: _Share = DEFAULT_MODEL.adapter_ff_per_bit
    band: Annotated[tuple[_Share, _Share], Field(description="least and most factor, around 1")] = DEFAULT_MODEL.band
    source: StrictStr = DEFAULT_MODEL.source


def engine_schema() -> dict[str, Any]:
    """JSON schema of a file of constants."""
    return _Keys.model_json_schema()


def read_engine_model(document: Document) -> EngineModel:
    """The constants of a file.

    Raises
    ------
    InputError
        With everything that is wrong, each with its place.
    """
    own = validate(document, _Keys)
    least, most = own.band
    if not 0 < least <= 1 <= most:
        message = f"{least:g} to {most:g} is not allowed; [above 0 and at most 1, at least 1] is needed"
        raise InputError([Complaint(document.locate(("band",)), "band", message)])
    return EngineModel(**{key: getattr(own, key) for key in EngineModel.__dataclass_fields__})


def load_engine_model(name_or_path: str | Path = "fixed16", relative_to: Path | None = None) -> EngineModel:
    """Shipped constants by name, or those of a YAML file.

    Raises
    ------
    InputError
        If there is no such entry, or the file is wrong.
    """
    return read_engine_model(load_yaml(resolve("engines", name_or_path, relative_to)))
