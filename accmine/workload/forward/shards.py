"""The transformer that one device of a tensor group computes: the same description with fewer heads and columns."""

from __future__ import annotations

from accmine.errors import Complaint, InputError
from accmine.workload.importers.transformer_config import TransformerConfig
from accmine.workload.shard import Shard

__all__ = ["VOCABULARY_TILE", "part_of"]

VOCABULARY_TILE = 64
"""Rows of the table are filled up to a multiple of this on every device of a tensor group, as Megatron-LM does."""


def part_of(config: TransformerConfig, shard: Shard) -> TransformerConfig:
    """What one device has of ``config``: 1/tensor of heads, key heads, MLP width and vocabulary; all of the width.

    Key heads are copied where there are fewer than devices. A whole model keeps its vocabulary as it is.

    Raises
    ------
    InputError
        If the tensor group does not divide heads, key heads or MLP width: names the degrees that do.
    """
    t = shard.tensor
    if t == 1:
        return config
    fit = [n for n in range(1, config.heads + 1) if not _misfits(config, n)]
    if misfits := _misfits(config, t):
        allowed = f"allowed: {', '.join(map(str, fit))}"
        raise InputError([Complaint("", "tensor", f"{t} devices do not divide {what}; {allowed}") for what in misfits])
    return config.model_copy(
        update={
            "heads": config.heads // t,
            "kv_heads": max(1, config.kv_heads // t),
            "mlp_width": config.mlp_width // t,
            "vocabulary": -(-config.vocabulary // (VOCABULARY_TILE * t)) * VOCABULARY_TILE,
        }
    )


def _misfits(config: TransformerConfig, t: int) -> list[str]:
    """What ``t`` devices do not divide."""
    found = [f"{config.heads} heads"] if config.heads % t else []
    found += [f"an MLP of width {config.mlp_width}"] if config.mlp_width % t else []
    if not found and config.kv_heads % t and t % config.kv_heads:
        found.append(f"{config.kv_heads} key heads")
    return found
