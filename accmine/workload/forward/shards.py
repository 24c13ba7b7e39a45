"""The transformer that one device of a group computes: the same description with fewer heads and columns."""

from __future__ import annotations

from accmine.errors import Complaint, InputError
from accmine.workload.importers.transformer_config import TransformerConfig
from accmine.workload.shard import Shard

__all__ = ["VOCABULARY_TILE", "part_of"]

VOCABULARY_TILE = 64
"""Rows of the table are filled up to a multiple of this on every device of a tensor group, as Megatron-LM does."""


def part_of(config: TransformerConfig, shard: Shard, sequence: int) -> TransformerConfig:
    """What one device has of ``config``: 1/tensor of heads, key heads, MLP width and vocabulary; all of the width.

    Key heads are copied where there are fewer than devices. A whole model keeps its vocabulary as it is. Experts are
    divided where they are built (``accmine.workload.forward.experts``).

    Raises
    ------
    InputError
        If the tensor group does not divide heads, key heads, MLP width or, with ``sequence_parallel``, the
        ``sequence`` tokens: names the degrees that do; or if there is a group that the model has no use for.
    """
    t = shard.tensor
    if shard.expert > 1 and not config.experts:
        raise InputError(f"{shard.expert} devices for experts in a model without; allowed: 1", field="expert")
    if t == 1:
        if shard.sequence_parallel:
            raise InputError("needs a tensor group; allowed with tensor of at least 2", field="sequence_parallel")
        return config
    if shard.sequence_parallel and sequence % t:
        message = f"{t} devices do not divide {sequence} tokens; allowed: multiples of {t}"
        raise InputError(message, field="sequence")
    fit = [n for n in range(1, config.heads + 1) if not _misfits(config, n)]
    if misfits := _misfits(config, t):
        allowed = f"allowed: {', '.join(map(str, fit))}"
        raise InputError([Complaint("", "tensor", f"{t} devices do not divide {what}; {allowed}") for what in misfits])
    return config.model_copy(
        update={
            "heads": config.heads // t,
            "kv_heads": max(1, config.kv_heads // t),
            "mlp_width": config.mlp_width // t,
            "shared_expert_width": config.shared_expert_width // t,
            "vocabulary": -(-config.vocabulary // (VOCABULARY_TILE * t)) * VOCABULARY_TILE,
        }
    )


def _misfits(config: TransformerConfig, t: int) -> list[str]:
    """What ``t`` devices do not divide."""
    found = [f"{config.heads} heads"] if config.heads % t else []
    widths = {"an MLP": config.mlp_width, "a shared expert": config.shared_expert_width}
    found += [f"{what} of width {width}" for what, width in widths.items() if width % t]
    if not found and config.kv_heads % t and t % config.kv_heads:
        found.append(f"{config.kv_heads} key heads")
    return found
