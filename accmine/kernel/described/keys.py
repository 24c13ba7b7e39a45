"""Keys of a file of an architecture, what they take, and what is refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictStr, WithJsonSchema, model_validator

from accmine.files import FieldsError
from accmine.kernel.described.numbers import Hertz, Size, Whole
from accmine.kernel.described.product import ProductRule

__all__ = ["REFUSED", "ArchitectureKeys", "RegisterKeys"]

_ARRIVAL = "who comes first depends on the times themselves, which is not max-plus"
REFUSED = {
    "issue": f"instructions are issued in program order; where they overtake each other {_ARRIVAL}",
    "arbitration": f"ports are taken in program order; under arbitration by arrival {_ARRIVAL}",
    "cache": "what a cache holds depends on all earlier addresses, which is not max-plus; describe a memory and say "
    "what each instruction transfers",
}
"""What people may ask for and no description has, and why; ``accmine.kernel`` is exact since all of it is max-plus."""
_REFUSED_KINDS = {"out-of-order": "issue", "overtaking": "issue", "arbiter": "arbitration", "crossbar": "arbitration"}
_REFUSED_KEYS = {"replacement": "cache", "ways": "cache", "associativity": "cache", "policy": "arbitration"}

_TEXT = {"type": "string", "minLength": 1}
_Repeat = Annotated[dict[str, Whole], Field(min_length=1)]
_Names = tuple[StrictStr, ...]


class _Object(BaseModel):
    """What every object may say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    repeat: _Repeat = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _max_plus(cls, data: Any) -> Any:
        """Name what is refused, instead of not knowing it."""
        if not isinstance(data, Mapping):
            return data
        wrong = []
        for key, value in data.items():
            word = str(value) if key in ("kind", "issue", "arbitration") else str(key)
            reason = _REFUSED_KINDS.get(word) or _REFUSED_KEYS.get(str(key)) or (str(key) if key in REFUSED else "")
            reason = reason or ("cache" if "cache" in word else "")
            if reason:
                wrong.append(((str(key),), f"{word!r} is refused: {REFUSED[reason]}"))
        if wrong:
            raise FieldsError(wrong)
        return data


class _Stage(_Object):
    kind: Literal["fetch", "stage", "execute"] = "stage"
    latency: Whole = 1
    interval: Whole = 1
    slots: Whole = 1
    to: _Names


class _Unit(_Object):
    executes: Annotated[_Names, Field(min_length=1)]
    latency: Whole = 1
    interval: Whole | None = None
    slots: Whole = 1
    reads: _Names = ()
    writes: _Names = ()


class _Memory(_Object):
    bandwidth: Whole
    size: Size | None = None
    read_latency: Whole = 1
    write_latency: Whole = 1
    ports: Whole | None = None
    read_ports: Whole | None = None
    write_ports: Whole | None = None
    buffers: dict[str, Whole] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_kind_of_ports(self) -> _Memory:
        apart = (self.read_ports, self.write_ports)
        if apart.count(None) == 1:
            missing = ("read_ports", "write_ports")[apart.index(None)]
            raise FieldsError([((missing,), "is required: read_ports and write_ports come together")])
        if self.ports is not None and self.read_ports is not None:
            raise FieldsError([(("ports",), "serve reads and writes; leave it out, or read_ports and write_ports")])
        return self


def _listed(value: Any) -> Any:
    """A list of names is a mapping in which each has one slot."""
    if not isinstance(value, list):
        return value
    twice = {str(name) for name in value if value.count(name) > 1}
    if twice:
        raise ValueError(f"names {', '.join(sorted(twice))} twice")
    return dict.fromkeys(map(str, value), 1)


class RegisterKeys(BaseModel):
    """Registers and their slots, each a key of its own."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Whole]

    repeat: _Repeat = Field(default_factory=dict)


_REGISTERS = {"anyOf": [{"type": "array", "items": _TEXT}, {"type": "object"}]}


class ArchitectureKeys(BaseModel):
    """A file of an architecture."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(strict=True, min_length=1)]
    description: StrictStr = ""
    abstracts: StrictStr = ""
    sources: _Names = ()
    frequency: Hertz | None = None
    parameters: dict[str, Whole] = Field(default_factory=dict)
    stages: Annotated[dict[str, _Stage], Field(min_length=1)]
    units: Annotated[dict[str, _Unit], Field(min_length=1)]
    registers: dict[str, Annotated[RegisterKeys, BeforeValidator(_listed), WithJsonSchema(_REGISTERS)]] = Field(
        default_factory=dict
    )
    memories: dict[str, _Memory] = Field(default_factory=dict)
    product: ProductRule | None = None
