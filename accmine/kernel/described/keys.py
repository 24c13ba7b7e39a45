"""Keys of a file of an architecture, what they take, and what is refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictStr, WithJsonSchema, model_validator
from pydantic.config import JsonDict

from accmine.files import FieldsError
from accmine.kernel.described.expression import FUNCTIONS
from accmine.kernel.described.numbers import Bandwidth, Count, Cycles, Hertz, Size, SomeCycles, Whole
from accmine.kernel.described.product import ProductRule

__all__ = [
    "NAMED",
    "NAME_PATTERN",
    "REFUSED",
    "ArchitectureKeys",
    "MemoryKeys",
    "RegisterKeys",
    "StageKeys",
    "UnitKeys",
]

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

_BRACES = r"\{[^{}]*\}"
NAME_PATTERN = rf"(?:[A-Za-z_]|{_BRACES})(?:[A-Za-z_0-9-]|{_BRACES})*"
"""A name in a description, which may have expressions in braces: of JSON schemas."""
IN_EXPRESSIONS: JsonDict = {"propertyNames": {"pattern": rf"^(?!(?:{'|'.join(FUNCTIONS)})$)[A-Za-z_][A-Za-z_0-9]*$"}}
"""Of JSON schemas: keys are names that expressions may use."""
NAMED: JsonDict = {"propertyNames": {"pattern": f"^{NAME_PATTERN}$"}}
"""Of JSON schemas: keys are such names."""
_NAME: JsonDict = {"title": "name", "type": "string", "pattern": f"^{NAME_PATTERN}$"}
_Repeat = Annotated[dict[str, Count], Field(min_length=1, json_schema_extra=IN_EXPRESSIONS)]
_Name = Annotated[StrictStr, WithJsonSchema(_NAME)]
_Maybe = Annotated[StrictStr, WithJsonSchema({**_NAME, "pattern": rf"^{NAME_PATTERN}\??$"})]


class _Object(BaseModel):
    """What every object may say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    repeat: _Repeat = Field(
        default_factory=dict, description="Index -> count: the object once for every index, which {braces} may name."
    )

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


class StageKeys(_Object):
    """A place where instructions wait and pass."""

    kind: Literal["fetch", "stage", "execute"] = Field(
        default="stage",
        description="fetch: the one where instructions begin; execute: forwards to units; stage: to stages.",
    )
    latency: Cycles = Field(default=1, description="From entering to the earliest leaving; may name values.")
    interval: Cycles = Field(default=1, description="Least time between two that enter.")
    slots: Count = Field(default=1, description="Instructions that are in it at a time.")
    to: tuple[_Maybe, ...] = Field(
        description="Stages, or units of an execute stage; one with ? only if it exists.",
        json_schema_extra={"minItems": 1},
    )


class UnitKeys(_Object):
    """What executes instructions."""

    executes: Annotated[tuple[_Name, ...], Field(min_length=1, description="Mnemonics; each has exactly one path.")]
    latency: Cycles = Field(
        default=1, description="From start to finish, without its transfers; may name values of the instruction."
    )
    interval: Cycles | None = Field(
        default=None, description="For how long a slot is held; may name values. Default: to the finish."
    )
    slots: Count = Field(default=1, description="Instructions that it executes at a time.")
    reads: tuple[_Maybe, ...] = Field(default=(), description="Register files and memories.")
    writes: tuple[_Maybe, ...] = Field(default=(), description="Register files and memories.")


class MemoryKeys(_Object):
    """Buffers or addresses behind ports."""

    model_config = ConfigDict(
        json_schema_extra={"dependentRequired": {"read_ports": ["write_ports"], "write_ports": ["read_ports"]}}
    )

    bandwidth: Bandwidth = Field(description="Of one port.")
    size: Size | None = Field(default=None, description="Addresses are below it; default: any.")
    read_latency: SomeCycles = Field(default=1, description="Of a read, beside its bytes / bandwidth.")
    write_latency: SomeCycles = Field(default=1, description="Of a write, beside its bytes / bandwidth.")
    ports: Count | None = Field(default=None, description="For reads and writes. Default: 1, or those of each way.")
    read_ports: Count | None = Field(default=None, description="For reads alone; together with write_ports.")
    write_ports: Count | None = Field(default=None, description="For writes alone; together with read_ports.")
    buffers: dict[str, Count] = Field(
        default_factory=dict,
        description="Name -> copies: writes take them in turn, a read looks at the one written last.",
        json_schema_extra=NAMED,
    )

    @model_validator(mode="after")
    def _one_kind_of_ports(self) -> MemoryKeys:
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
    __pydantic_extra__: dict[str, Count]

    repeat: _Repeat = Field(default_factory=dict, description="As of stages.")


_LIST: JsonDict = {"type": "array", "items": _NAME, "uniqueItems": True}
_REGISTERS: JsonDict = {"anyOf": [_LIST, {**RegisterKeys.model_json_schema(), **NAMED}]}
_Registers = Annotated[RegisterKeys, BeforeValidator(_listed), WithJsonSchema(_REGISTERS)]


class ArchitectureKeys(BaseModel):
    """A file of an architecture."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(strict=True, min_length=1, description="Name in tables.")]
    description: StrictStr = Field(default="", description="What it is, in a line.")
    abstracts: StrictStr = Field(default="", description="What the description leaves out; printed with results.")
    sources: tuple[StrictStr, ...] = Field(default=(), description="Where its numbers are from.")
    frequency: Hertz | None = Field(default=None, description="Clock; default: cycles are printed without seconds.")
    parameters: dict[str, Whole] = Field(
        default_factory=dict,
        description="Name -> number, which expressions and braces may name; set by --set.",
        json_schema_extra=IN_EXPRESSIONS,
    )
    stages: Annotated[
        dict[str, StageKeys],
        Field(min_length=1, description="Name -> stage; exactly one is of kind fetch.", json_schema_extra=NAMED),
    ]
    units: Annotated[dict[str, UnitKeys], Field(min_length=1, description="Name -> unit.", json_schema_extra=NAMED)]
    registers: dict[str, _Registers] = Field(
        default_factory=dict,
        description="Name -> registers of a file: a list of names, or names with slots; they cost no time.",
        json_schema_extra=NAMED,
    )
    memories: dict[str, MemoryKeys] = Field(
        default_factory=dict, description="Name -> memory.", json_schema_extra=NAMED
    )
    product: ProductRule | None = Field(
        default=None, description="How a product runs, for models and costs of studies."
    )
