from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from accmine.workload.importers.layer_options import ACTIVATIONS, LAYERS, SHORTCUTS

REQUIRED: dict[str, dict[str, Any]] = {
    "conv": {"out": 4, "kernel": 3},
    "linear": {"out": 4},
    "max-pool": {"kernel": 2},
    "avg-pool": {"kernel": 2},
    "adaptive-avg-pool": {"size": 7},
    "dropout": {"rate": 0.5},
    "squeeze-excite": {"width": 8},
}


@pytest.mark.parametrize("name", LAYERS)
def test_defaults_are_allowed_when_they_are_said(name: str) -> None:
    short = LAYERS[name].model_validate(REQUIRED.get(name, {}))
    said = {key: value for key, value in short.model_dump().items() if value is not None}
    assert LAYERS[name].model_validate(said) == short
    for key in REQUIRED.get(name, {}):
        with pytest.raises(ValidationError):
            LAYERS[name].model_validate({k: v for k, v in REQUIRED[name].items() if k != key})


@given(st.integers(-1, 4), st.integers(-1, 4), st.sampled_from(["kernel", "stride", "dilation", "padding"]))
def test_pairs(a: int, b: int, option: str) -> None:
    least = 0 if option == "padding" else 1
    fits = a >= least and b >= least
    for value in ([a, b], [b, a]):
        data = {"out": 1, "kernel": 1, option: value}
        if fits:
            assert LAYERS["conv"].model_validate(data).model_dump()[option] == tuple(value)
        else:
            with pytest.raises(ValidationError):
                LAYERS["conv"].model_validate(data)


@pytest.mark.parametrize(
    ("layer", "option", "value"),
    [
        ("conv", "padding", "valid"),
        ("conv", "padding", [1, 2, 3]),
        ("conv", "groups", "same"),
        ("conv", "groups", [1, 2]),
        ("conv", "kernel", [1, 2, 3]),
        ("conv", "kernel", 2**31),
        ("conv", "kernel", True),
        ("max-pool", "padding", [0, 0, 1, 1]),
        ("squeeze-excite", "gate", "sig"),
        ("residual", "shortcut", "layers"),
        ("auxiliary", "weight", 0),
        ("auxiliary", "weight", float("inf")),
    ],
)
def test_what_is_not_allowed(layer: str, option: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        LAYERS[layer].model_validate(REQUIRED.get(layer, {}) | {option: value})


def test_words() -> None:
    conv = LAYERS["conv"].model_validate({"out": 1, "kernel": 1, "padding": "same", "groups": "depthwise"}).model_dump()
    assert (conv["padding"], conv["groups"]) == ("same", "depthwise")
    sides = LAYERS["conv"].model_validate({"out": 1, "kernel": 1, "padding": [0, 1, 2, 3]}).model_dump()
    assert sides["padding"] == (0, 1, 2, 3)
    for word in SHORTCUTS:
        assert LAYERS["residual"].model_validate({"shortcut": word}).model_dump() == {"shortcut": word}
    assert set(ACTIVATIONS) <= LAYERS.keys()
