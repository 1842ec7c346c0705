"""The device of a model: what is there, or one line."""

from __future__ import annotations

import pytest
import torch

from clampsweep.errors import UserError
from clampsweep.models.devices import device_of


@pytest.mark.parametrize(
    ("name", "there", "device"),
    [("auto", True, "cuda"), ("auto", False, "cpu"), ("cpu", True, "cpu"), ("cuda", True, "cuda")],
)
def test_a_device_is_the_one_that_is_named_or_the_gpu_that_is_there(
    monkeypatch, name, there, device
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert device_of(name) == device


def test_cuda_where_torch_sees_no_gpu_is_one_line_with_the_remedy(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=r"^compute.device: got 'cuda', but .* write device: auto"):
        device_of("cuda")


@pytest.mark.parametrize("name", ["gpu", "CUDA", "cuda:1", None])
def test_another_name_is_refused_with_those_that_there_are(name):
    with pytest.raises(ValueError, match=r"^device: got .*; allowed: auto, cpu, cuda$"):
        device_of(name)
