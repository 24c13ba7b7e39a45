"""What is odd about an answer although it is the best one: said as warnings, since the study is the likely reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from accmine.hardware import Chip, Design
from accmine.hardware.technology.technology import Technology
from accmine.report import number, percent

__all__ = ["behind", "of_bubble", "unused"]

MOST_BUBBLE = 0.5
"""Share of a step above which devices wait more than they work."""

FAR_BELOW = 0.5
"""Part of a baseline's value below which a limit or a key of the study keeps the answer from being one."""

LEAST_USED = 0.5
"""Part of what the technology can do below which its parts are paid for in vain."""

GIB = 1 << 30


def of_bubble(name: str, bubble: float) -> Iterator[str]:
    """A pipeline whose devices wait more than they work; ``bubble`` is their share of a step, 0 to 1."""
    if bubble > MOST_BUBBLE:
        yield (
            f"{name}: devices wait for others of the pipeline in {percent(bubble)} of a step: more microbatches "
            "(a smaller microbatch, a larger batch) or fewer stages shorten it"
        )


def behind(metric: str, ratios: Iterable[tuple[str, float]]) -> Iterator[str]:
    """A metric far below that of baselines: (name, the answer's over the baseline's), 1 is equal."""
    far = [(name, ratio) for name, ratio in ratios if ratio < FAR_BELOW]
    if far:
        named = ", ".join(f"{percent(ratio)} of that of {name}" for name, ratio in far)
        yield (
            f"{metric} is {named}, under the same rules: a limit or a key of the study keeps designs of their size out "
            "(which limits are active is above; accmine sensitivity says what more of each would buy)"
        )


def unused(designs: Iterable[Design], technology: Technology) -> Iterator[str]:
    """A clock or HBM stacks of the technology that designs pay for and do not use."""
    for design in dict.fromkeys(designs):
        power = technology.power
        if power is not None and design.frequency_hz < LEAST_USED * power.frequency_max_hz:
            yield (
                f"the clock of {design.name} is {number(design.frequency_hz / 1e6)} MHz, {technology.name} goes up to "
                f"{number(power.frequency_max_hz / 1e6)} MHz: its constants are of faster chips; "
                "accelerator.frequency sets the clock"
            )
        yield from _stacks(design, technology)


def _stacks(design: Design, technology: Technology) -> Iterator[str]:
    area = technology.area
    count = area.stacks(Chip(design.hbm_bytes, design.hbm_bytes_per_s, design.frequency_hz))
    if not count:
        return
    size, rate = (getattr(area, name) * count for name in ("hbm_stack_bytes", "hbm_stack_bytes_per_s"))
    for used, there, text, key in (
        (design.hbm_bytes, size, f"{number(size / GIB)} GiB", "hbm"),
        (design.hbm_bytes_per_s, rate, f"{number(rate / 1e9)} GB/s", "hbm_bandwidth"),
    ):
        if used < LEAST_USED * there:
            yield (
                f"area and power of {count} HBM stacks are counted for {design.name} by {technology.name}; they give "
                f"{text}, of which it uses {percent(used / there)}: accelerator.{key} may be larger at no cost, "
                "or give whole stacks (accelerator.hbm_stacks)"
            )
