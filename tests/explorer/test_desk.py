"""What the form starts with, of configs that steer or give neurons values of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import configs
from clampsweep.explorer import desk
from clampsweep.explorer.beginnings import first_clamp, first_steering, first_values
from clampsweep.explorer.desk import Desk
from clampsweep.explorer.settings import ClampSetting
from clampsweep.explorer.steering import SteerSetting
from configs import BASE, as_sweep, sweep

folder = configs.folder

DIRECTIONS = {"file": "d.safetensors", "names": ["joy"], "layers": [2, 0]}


@pytest.fixture
def opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Desk]:
    """Function from a config's overlay to the desk."""
    save_file({"joy": np.ones(4)}, folder / "d.safetensors")
    monkeypatch.setattr(desk, "SCHEMAS", configs.SCHEMAS)
    return lambda overlay: Desk(configs.parse(base=BASE, over=overlay), folder)


def test_a_sweep_that_steers_fills_the_steering_and_leaves_the_clamps_alone(
    opened: Callable[..., Desk],
) -> None:
    steered = as_sweep(operation="steer", neurons=None, directions=DIRECTIONS, values=[-1, 0.5])
    found = opened(f"{steered}\nrun: [new]")
    assert found.config.direction_files == ("d.safetensors",)
    assert first_steering(found, "tiny") == SteerSetting(False, "d.safetensors", "joy", 2)
    assert first_values(found, "tiny", steered=True) == [-1, 0.5]
    assert first_clamp(found, "tiny") == ClampSetting(0, 1, "set", 10.0)  # of `main`
    assert first_values(found, "tiny") == [-3, 0, 2.5]


def test_a_config_of_steering_alone_leaves_the_clamps_as_without_one(
    opened: Callable[..., Desk],
) -> None:
    steered = as_sweep(operation="steer", neurons=None, directions=DIRECTIONS, values=[-1, 0.5])
    found = opened(steered)
    found.config.entries["bcr"].pop("main")  # type: ignore[attr-defined]
    assert first_clamp(found, "tiny") == ClampSetting(2, 0, "set", 10.0)
    assert first_values(found, "tiny")[0] == -50


def test_without_directions_the_steering_is_empty_and_off(opened: Callable[..., Desk]) -> None:
    found = opened("{}")
    assert first_steering(found, "tiny") == SteerSetting(layer=1)
    assert 0 in first_values(found, "tiny", steered=True)


def test_a_neuron_with_a_value_of_its_own_starts_with_it(opened: Callable[..., Desk]) -> None:
    own = as_sweep(neurons=[{"L1N2": -0.5, "L2N3": 4}], operation="scale", values=None)
    found = opened(f"{own}\nrun: [new]")
    assert first_clamp(found, "tiny") == ClampSetting(1, 2, "scale", -0.5)
    assert first_clamp(opened(sweep("neurons: [L2N7]")), "tiny") == ClampSetting(2, 7, "set", 10.0)
