"""The reference of a study's keys, written from the schema itself."""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from accmine.files import plain_annotation
from accmine.study import values as fields
from accmine.study.front import ObjectiveWord, OneOrFront, Pair, Points
from accmine.study.mixes import Shares
from accmine.study.study import Study
from accmine.system import SCHEDULES

__all__ = ["study_reference"]

_HEAD = """# Keys of a study

Written by `accmine schema --markdown`; do not edit. Paths are what `--set` takes; `0` stands for any item
of a list. A quantity is a number and a unit, such as `400 mm^2`, `1.2 TB/s`, `32 GiB`, `700 MHz`, `900 W`.

| key | value | default | meaning |
|---|---|---|---|
"""

_ALIASES: tuple[tuple[Any, str], ...] = (
    (fields.AreaLimit, "quantity, `baseline` or `none`"),
    (fields.PowerLimit, "quantity, `baseline` or `none`"),
    (OneOrFront, f"{', '.join(f'`{word}`' for word in get_args(ObjectiveWord))}, or mapping"),
    (Shares, "mapping of workloads to numbers"),
    (Pair, "`[throughput, tdp]` or `[throughput, area]`"),
    (Points, "whole number or `all`"),
    (fields.Degrees, "number, list or `auto`"),
    (fields.MicrobatchList, "number or list"),
    (fields.ChunkList, "number or list"),
    (fields.ZeroList, "`0`, `1`, `2`, `3`, or list"),
    (fields.RankOrder, "`auto` or list"),
    (fields.Switch, "`true`, `false` or `auto`"),
    (fields.RecomputeList, "`none`, `selective`, `full`, or list"),
    (fields.ScheduleList, f"{', '.join(f'`{name}`' for name in SCHEDULES)}, or list"),
    (fields.CountAxis, "number, range `1..64`, or list"),
    (fields.DataflowAxis, "`ws`, `os`, `is`, `flexible`, or list"),
    (fields.BytesAxis, "quantity or list"),
    (fields.OptionalBytesAxis, "quantity or list"),
    (fields.RateAxis, "quantity or list"),
    (fields.HertzAxis, "quantity or list"),
    (fields.WorkloadName, "name or file"),
    (fields.AcceleratorName, "name or file"),
    (fields.TechnologyName, "name or file"),
    (fields.ClusterName, "name or file"),
)


def study_reference() -> str:
    """Markdown table of every key: what it takes, its default, its meaning and its unit."""
    return _HEAD + "".join(_rows(Study, ""))


def _rows(model: type[BaseModel], prefix: str) -> list[str]:
    lines: list[str] = []
    hints = _hints(model)
    for name, info in model.model_fields.items():
        annotation = hints[name]
        below, repeated = _model_in(annotation)
        path = f"{prefix}{name}"
        if below is not None:
            either = next((words for alias, words in _ALIASES if annotation == alias), "mapping")
            default = "" if either == "mapping" else f"{_default(info)} "
            what = "list of mappings" if repeated else either
            lines.append(f"| `{path}` | {what} | {default}| {info.description} |\n")
            lines += _rows(below, f"{path}.0." if repeated else f"{path}.")
        else:
            lines.append(f"| `{path}` | {_words(annotation)} | {_default(info)} | {_meaning(info)} |\n")
    return lines


def _hints(model: type[BaseModel]) -> dict[str, Any]:
    """The annotations as written, with their metadata: pydantic takes the outermost apart."""
    from typing import get_type_hints

    return get_type_hints(model, include_extras=True)


def _model_in(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    bare = plain_annotation(annotation)
    repeated = get_origin(bare) is tuple
    item = plain_annotation(get_args(bare)[0]) if repeated else bare
    is_model = isinstance(item, type) and issubclass(item, BaseModel)
    return (item if is_model else None), repeated


def _words(annotation: Any) -> str:
    for alias, words in _ALIASES:
        if annotation == alias:
            return words
    origin = get_origin(annotation)
    if origin is Annotated:
        return _words(get_args(annotation)[0])
    if origin in (Union, UnionType):
        parts = [_words(arg) for arg in get_args(annotation) if arg is not type(None)]
        return " or ".join(parts)
    if origin is tuple:
        return f"list: {_words(get_args(annotation)[0])}"
    if isinstance(annotation, type):
        return {int: "whole number", float: "number", str: "text", bool: "true or false"}[annotation]
    return ", ".join(f"`{value}`" for value in get_args(annotation))  # a Literal


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    if info.default_factory is not None or info.default is None or info.default == "":
        return ""
    value = list(info.default) if isinstance(info.default, tuple) else info.default
    text = str(value).lower() if isinstance(value, bool) else str(value).replace("'", "")
    return f"`{text}`"


def _meaning(info: FieldInfo) -> str:
    extra = info.json_schema_extra
    unit = extra.get("unit") if isinstance(extra, dict) else None
    text = str(info.description).replace("|", "\\|")
    return f"{text} Unit: {unit}." if unit else text
