"""Precision of training in a study: what is kept beside activations, and in which type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from accmine.files import derived

__all__ = ["PURE_BF16", "Part", "Precision", "PrecisionWord"]


class Part(BaseModel):
    """Base of every model of a study: frozen, and no key beside its own."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Precision(Part):
    """Types of what training keeps beside activations."""

    master: Literal["fp32", "none"] = Field(
        default="fp32", description="Weights that the optimiser updates; none: those that the products read."
    )
    moments: Literal["fp32", "bf16"] = Field(default="fp32", description="State of the optimiser.")
    gradients: Literal["fp32", "bf16", "fp16"] = Field(
        default="fp32", description="Gradients of parameters where there is one microbatch."
    )
    accumulation: Literal["fp32", "bf16", "fp16"] = Field(
        default_factory=derived(lambda data: data["gradients"]),
        description="Gradients of parameters that several microbatches add to. Default: as gradients.",
    )

    @property
    def word(self) -> str:
        """What stands for it in a table."""
        return next((word for word, one in WORDS.items() if one == self), "own")


_PURE_BF16 = {"master": "none", "moments": "bf16", "gradients": "bf16", "accumulation": "bf16"}


def _precision(value: Any) -> Any:
    if isinstance(value, str):
        if value not in WORDS:
            raise ValueError(f"must be {' or '.join(WORDS)}, or a mapping of {', '.join(_PURE_BF16)}; got {value!r}")
        return WORDS[value]
    return value


PURE_BF16 = Precision.model_validate(_PURE_BF16)
WORDS = {"mixed": Precision(), "pure-bf16": PURE_BF16}
"""Precisions that have a name."""

if TYPE_CHECKING:
    PrecisionWord = Precision
else:
    PrecisionWord = Annotated[
        Precision, BeforeValidator(_precision, json_schema_input_type=Literal["mixed", "pure-bf16"] | Precision)
    ]
"""A mapping, or a word for one."""
