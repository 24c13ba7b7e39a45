"""One figure of accmine beside that of another tool, and why they differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from accmine.questions.export.operators import ExportedOperator

__all__ = ["Comparison", "operator_reasons"]


@dataclass(frozen=True)
class Comparison:
    """An exported operator, or a whole step, in both tools.

    Attributes
    ----------
    design, what
        What was run.
    quantity
        Of both figures, with its unit.
    ours, theirs
        The figures; ``theirs`` is ``None`` where the tool refused.
    equal
        Whether the two have to be equal; otherwise the difference is for the reader to judge.
    reasons
        What is modelled differently, from the settings of this export.
    band
        Where the ratio has been found to lie for operators like this one; ``None``: not known.
    """

    design: str
    what: str
    quantity: str
    ours: float
    theirs: float | None
    equal: bool
    reasons: tuple[str, ...]
    band: tuple[float, float] | None = None

    @property
    def ok(self) -> bool:
        """False only where the figures have to be equal and are not."""
        return not self.equal or self.theirs == self.ours

    @property
    def ratio(self) -> float | None:
        """Theirs over ours."""
        return None if self.theirs is None or self.ours == 0 else self.theirs / self.ours

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "design": self.design,
            "what": self.what,
            "quantity": self.quantity,
            "ours": self.ours,
            "theirs": self.theirs,
            "difference": None if self.theirs is None else self.theirs - self.ours,
            "ratio": self.ratio,
            "must_be_equal": self.equal,
            "ok": self.ok,
            "band": None if self.band is None else list(self.band),
            "reasons": list(self.reasons),
        }


def operator_reasons(operator: ExportedOperator, tool: str) -> list[str]:
    """What of an operator a tool for single products on one core does not see."""
    gemm = operator.work.gemm
    assert gemm is not None
    reasons = []
    if gemm.batch > 1:
        reasons.append(f"batch: the operator is {gemm.batch} such products; {tool} runs one")
    if operator.is_im2col:
        a, b = ("A", gemm.m * gemm.k, gemm.a_elements), ("B", gemm.k * gemm.n, gemm.b_elements)
        c = ("C", gemm.m * gemm.n, gemm.c_elements)
        for name, size, real in (a, b, c):
            if gemm.batch * size != real:
                sizes = f"{gemm.batch * size:,} elements of {name}, the tensor has {real:,}"
                reasons.append(f"convolution as im2col product: {tool} sees {sizes}")
    if operator.work.vector:
        kinds = ", ".join(part.kind for part in operator.work.vector)
        reasons.append(f"fused vector part not in {tool}: {kinds}")
    if operator.cores > 1:
        cycles = f"{operator.duration_cycles:,} cycles"
        reasons.append(f"accmine's fastest mode splits the operator over {operator.cores} cores: {cycles}")
    return reasons
