"""Files of kernels: instructions and loops in program order.

An item of a body is ``loop: TRIPS`` with a ``body``, ``repeat: {r: rows}`` with a ``body`` that is written out once
for every r (braces and expressions in it may name r), or an instruction: ``{matmul: {m: 16, reads: [spad.A:256]}}``.
Operands are ``PLACE.PART``, with ``:BYTES`` for a buffer of a memory, or ``PLACE[FIRST:BEHIND]``, addresses of a
memory. Where one side of a transfer has no bytes, it has those of the only operand of the other side that has. An
operand that ends in ``?`` is left out where there is no such register file or memory, as beyond the edge of an array.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictStr

from accmine.errors import InputError
from accmine.files import Document, Place, did_you_mean, load_yaml, refuse_others, validate
from accmine.files.catalogue import find_file, path_of
from accmine.kernel.architecture import Architecture, Instruction, Kernel, Loop, Operand
from accmine.kernel.described.architecture_file import NAME, indices, read_parameters
from accmine.kernel.described.expression import Complaints, may_name
from accmine.kernel.described.keys import IN_EXPRESSIONS, NAME_PATTERN
from accmine.kernel.described.numbers import Whole, number_schema

__all__ = ["kernel_schema", "load_kernel", "read_kernel"]

MOST_ITEMS = 200_000
"""Instructions and loops in the text of a kernel, after repetitions were written out."""

SIDES = ("reads", "writes", "updates")
_OPERAND = re.compile(rf"({NAME.pattern})(?:\.({NAME.pattern})(?::(.+))?|\[([^:\[\]]+):([^:\[\]]+)\])")
_PLACE = re.compile(r"(?:[^{}.\[]|\{[^{}]*\})+")
_FORMS = "allowed: REGISTERS.NAME, MEMORY.BUFFER:BYTES or MEMORY[FIRST:BEHIND]"


class _File(BaseModel):
    """A file of a kernel; its body is read by hand, since any mnemonic is a key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(strict=True, min_length=1, description="Name in tables.")]
    description: StrictStr = Field(default="", description="What it computes, in a line.")
    parameters: dict[str, Whole] = Field(
        default_factory=dict,
        description="Name -> number, which expressions and braces may name.",
        json_schema_extra=IN_EXPRESSIONS,
    )
    body: list[Any]


class _Reader:
    """Reads items and collects what is wrong."""

    def __init__(self, found: Complaints, architecture: Architecture) -> None:
        self.found = found
        self.places = {**architecture.registers, **architecture.memories}
        self.registers = architecture.registers
        self.items = 0

    def body(self, items: Any, names: Mapping[str, int], place: Place) -> tuple[Instruction | Loop, ...]:
        """The items of a list, repetitions written out."""
        if not isinstance(items, list) or not items:
            got = "is empty" if items == [] else f"must be a list, got {type(items).__name__}"
            self.found.add(place, f"{got}; allowed: a list of instructions, loops and repetitions")
            return ()
        read: list[Instruction | Loop] = []
        for number, item in enumerate(items):
            if self.is_full():
                break
            read += self.item(item, names, (*place, number))
        return tuple(read)

    def is_full(self) -> bool:
        if self.items >= MOST_ITEMS:
            self.found.add(("body",), f"more than {MOST_ITEMS} instructions when written out; use loops")
        return self.items >= MOST_ITEMS

    def item(self, item: Any, names: Mapping[str, int], place: Place) -> tuple[Instruction | Loop, ...]:
        self.items += 1
        if isinstance(item, str):
            item = {item: None}
        if not isinstance(item, dict) or not item:
            self.found.add(place, f"must be an instruction, a loop or a repetition, got {str(item)[:40]!r}")
        elif "loop" in item or "repeat" in item:
            kind, keys = ("loop", ("loop", "name", "body")) if "loop" in item else ("repeat", ("repeat", "body"))
            if self.only(item, keys, place) and self.has_body(item, place):
                return self.loop(item, names, place) if kind == "loop" else self.repeat(item, names, place)
        elif len(item) > 1:
            self.found.add(
                place, f"is one instruction with one mnemonic, got {', '.join(map(str, item))}; write a list"
            )
        else:
            (mnemonic, fields), *_ = item.items()
            own = (*place, mnemonic)
            read = self.instruction(mnemonic, {} if fields is None else fields, names, own)
            return () if read is None else (read,)
        return ()

    def only(self, item: Mapping[str, Any], keys: tuple[str, ...], place: Place) -> bool:
        for key in item:
            if key not in keys:
                hint = did_you_mean(key, keys)
                self.found.add((*place, key), f"unknown key {key!r}; {hint}allowed: {', '.join(keys)}", key=True)
        return all(key in keys for key in item)

    def has_body(self, item: Mapping[str, Any], place: Place) -> bool:
        if "body" not in item:
            self.found.add((*place, "body"), "is required")
        return "body" in item

    def loop(self, item: Mapping[str, Any], names: Mapping[str, int], place: Place) -> tuple[Loop, ...]:
        trips = self.number(item["loop"], names, (*place, "loop"), 1)
        name = item.get("name", "")
        if not isinstance(name, str):
            self.found.add((*place, "name"), f"must be text, got {name!r}")
        return (Loop(trips, self.body(item["body"], names, (*place, "body")), str(name), place),)

    def repeat(self, item: Mapping[str, Any], names: Mapping[str, int], place: Place) -> tuple[Instruction | Loop, ...]:
        counts = item["repeat"]
        if not isinstance(counts, dict) or not counts:
            self.found.add((*place, "repeat"), f"must be a mapping of indices to counts, got {str(counts)[:40]!r}")
            return ()
        checked = {index: self.number(count, names, (*place, "repeat", index), 1) for index, count in counts.items()}
        read: list[Instruction | Loop] = []
        for own in indices(self.found, checked, names, place):
            if self.is_full():
                break
            read += self.body(item["body"], {**names, **own}, (*place, "body"))
        return tuple(read)

    def number(self, value: Any, names: Mapping[str, int], place: Place, least: int) -> int:
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            self.found.add(place, f"must be a whole number or an expression, got {str(value)[:40]!r}")
            return least
        return self.found.number(value, names, place, least)

    def instruction(self, mnemonic: str, fields: Any, names: Mapping[str, int], place: Place) -> Instruction | None:
        if not isinstance(fields, dict):
            self.found.add(
                place, f"must be a mapping of {', '.join(SIDES)}, label and values, got {str(fields)[:40]!r}"
            )
            return None
        mnemonic = self.found.text(mnemonic, names, place, key=True)
        values = self.values(fields, names, place)
        label = fields.get("label", "")
        if not isinstance(label, str):
            self.found.add((*place, "label"), f"must be text, got {str(label)[:40]!r}")
        else:
            label = self.found.text(label, names, (*place, "label"))
        sides = {side: self.operands(fields.get(side, []), {**names, **values}, (*place, side)) for side in SIDES}
        sides = self.sized(sides, place)
        return Instruction(mnemonic, **sides, values=values, label=str(label), place=place)

    def values(self, fields: Mapping[str, Any], names: Mapping[str, int], place: Place) -> dict[str, int]:
        """Immediates: every key that is not a word of instructions."""
        values = {}
        for key, value in fields.items():
            if key in SIDES or key == "label":
                continue
            if isinstance(value, bool) or not isinstance(value, (int, str)) or not key.isidentifier():
                hint = did_you_mean(key, (*SIDES, "label"))
                message = f"{key!r} is neither a word of instructions nor a value, a whole number or expression; {hint}"
                self.found.add((*place, key), f"{message}allowed: {', '.join(SIDES)}, label", key=True)
                continue
            values[key] = self.found.number(value, names, (*place, key), 0)
        return values

    def operands(self, items: Any, names: Mapping[str, int], place: Place) -> tuple[Operand, ...]:
        if not isinstance(items, list):
            self.found.add(place, f"must be a list of operands, got {str(items)[:40]!r}; {_FORMS}")
            return ()
        found = (self.operand(item, names, (*place, number)) for number, item in enumerate(items))
        return tuple(operand for operand in found if operand is not None)

    def operand(self, item: Any, names: Mapping[str, int], place: Place) -> Operand | None:
        """An operand; −1 bytes where it says none and needs some."""
        text = self.found.text(item, names, place) if isinstance(item, str) else ""
        match = _OPERAND.fullmatch(text.removesuffix("?"))
        if match is None:
            self.found.add(place, f"must be an operand, got {str(item)[:40]!r}; {_FORMS}")
            return None
        where, part, size, first, behind = match.groups()
        if text.endswith("?"):
            template = _PLACE.match(item)
            if where not in self.places and template is not None and may_name(template.group(), self.places):
                return None
        is_register = where in self.registers
        if part is None:
            low, high = self.number(first, names, place, 0), self.number(behind, names, place, 0)
            if low >= high:
                self.found.add(place, f"addresses are FIRST:BEHIND with 0 <= FIRST < BEHIND, got {low}:{high}")
            return Operand(where, (low, high), max(1, high - low))
        if size is None:
            return Operand(where, part, -1 if where in self.places and not is_register else 0)
        if is_register:
            self.found.add(place, f"{where!r} has registers, which have no bytes; write {where}.{part}")
        return Operand(where, part, self.number(size, names, place, 1))

    def sized(self, sides: Mapping[str, tuple[Operand, ...]], place: Place) -> dict[str, tuple[Operand, ...]]:
        """Operands with the bytes of the other side where they have none."""
        done = {}
        for side, operands in sides.items():
            others = [o.size_bytes for key in SIDES if (key == "reads") != (side == "reads") for o in sides[key]]
            known = [size for size in others if size > 0]
            for number, operand in enumerate(operands):
                if operand.size_bytes < 0 and len(known) != 1:
                    says = "no operand of the other side has any" if not known else "several operands there have some"
                    self.found.add((*place, side, number), f"needs bytes, as {operand.place}.{operand.part}:64; {says}")
            done[side] = tuple(
                Operand(o.place, o.part, known[0]) if o.size_bytes < 0 and len(known) == 1 else o for o in operands
            )
        return done


def _object(needed: Sequence[str], says: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    table = {"type": "object", "description": says, "properties": dict(properties), "required": list(needed)}
    return table | {"additionalProperties": False}


def kernel_schema() -> dict[str, Any]:
    """JSON schema of a file of a kernel."""
    name = NAME_PATTERN
    body = {"$ref": "#/$defs/Body", "description": "Instructions, loops and repetitions, in program order."}
    operand = {
        "title": "operand",
        "type": "string",
        "pattern": rf"^{name}(?:\.{name}(?::.+)?|\[[^:\[\]]+:[^:\[\]]+\])\??$",
    }
    says = {"reads": "", "writes": "What it writes; as reads.", "updates": "What it reads and writes; as reads."}
    says["reads"] = f"What it reads: {_FORMS.removeprefix('allowed: ')}; one with ? only if there is such a place."
    fields = {side: {"type": "array", "items": operand, "description": says[side]} for side in SIDES}
    fields["label"] = {"type": "string", "description": "Its name in what is printed; default: the mnemonic."}
    instruction = {
        "type": ["object", "null"],
        "description": "Operands, a label, and values, which latencies of the architecture may name.",
        "properties": fields,
        "propertyNames": {"pattern": r"^[^\W\d]\w*$"},
        "additionalProperties": number_schema(0),
    }
    loop = {"loop": number_schema(1) | {"description": "Trips of a loop; beside it stand its name and body."}}
    loop |= {"name": {"type": "string", "default": "", "description": "Name in what is printed."}, "body": body}
    indices = {"type": "object", "minProperties": 1, "additionalProperties": number_schema(1), **IN_EXPRESSIONS}
    indices["description"] = "Index -> count: the body is written out for every index, which {braces} may name."
    one = {"minProperties": 1, "maxProperties": 1, "propertyNames": {"pattern": f"^{name}$"}}
    item = {
        "if": {"type": "object", "required": ["loop"]},
        "then": _object(("loop", "body"), "A loop.", loop),
        "else": {
            "if": {"type": "object", "required": ["repeat"]},
            "then": _object(("repeat", "body"), "A repetition.", {"repeat": indices, "body": body}),
            "else": {
                "type": ["object", "string"],
                "description": "An instruction: its mnemonic, alone or as the key of its operands and values.",
                **one,
                "pattern": f"^(?!(loop|repeat)$){name}$",
                "additionalProperties": {"$ref": "#/$defs/Instruction"},
            },
        },
    }
    table = _File.model_json_schema()
    table["properties"]["body"] = body
    lists = {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/Item"}}
    return table | {"$defs": {"Body": lists, "Item": item, "Instruction": instruction}}


def load_kernel(
    path: str | Path,
    architecture: Architecture,
    relative_to: Path | None = None,
    parameters: Mapping[str, int] | None = None,
) -> Kernel:
    """A kernel from a YAML file, for an architecture.

    Parameters
    ----------
    architecture
        Whose parameters expressions may name, and whose register files have no bytes.
    relative_to
        Folder in which a relative file is looked up; default: the current one.
    parameters
        Over those of the file of the kernel.

    Raises
    ------
    InputError
        If there is no such file, or it is wrong; with the place of everything that is. What the architecture has to
        say about it, ``resolve`` does.
    """
    file = find_file(path, relative_to or Path.cwd())
    if file is None:
        raise InputError(f"no such file: {(relative_to or Path.cwd()) / path_of(path)}")
    return read_kernel(load_yaml(file, name=str(path)), architecture, parameters)


def read_kernel(document: Document, architecture: Architecture, parameters: Mapping[str, int] | None = None) -> Kernel:
    """The kernel of a document; otherwise as ``load_kernel``."""
    is_sizing = isinstance(document.data, Mapping) and "stations" in document.data  # it has a body of its own
    refuse_others(document, "kernel", () if is_sizing else ("body",))
    file = validate(document, _File)
    found = Complaints(document)
    own = read_parameters(found, file.parameters, parameters or {}, architecture.parameters)
    found.raise_any()
    body = _Reader(found, architecture).body(document.data["body"], {**architecture.parameters, **own}, ("body",))
    found.raise_any()
    return Kernel(file.name, body, document)
