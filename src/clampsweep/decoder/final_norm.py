"""The final norm, taken apart where it has a known form."""

from __future__ import annotations

import copy
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


def wide(x: Tensor) -> Tensor:
    """In float32 at least."""
    return x if x.dtype == torch.float64 else x.float()


class FinalNorm:
    """A norm, as `gain * (x - mean(x) or x) / scale(x) + shift` if it has that form.

    Args:
        module: The norm. It is copied, since the other one may be hooked.

    Attributes:
        form: `rms`, `layer` (which subtracts the mean), or None for a norm of another form.
    """

    def __init__(self, module: Any):
        self._module = copy.deepcopy(module)
        self.form: str | None = self._find_form()

    def _find_form(self) -> str | None:
        """The form that gives what the module gives, by trial."""
        weight = getattr(self._module, "weight", None)
        if weight is None:
            return None
        generator = torch.Generator().manual_seed(0)
        probe = (torch.randn(4, len(weight), generator=generator) * 3 + 1).to(weight)
        with torch.inference_mode():
            wanted = self._module(probe)
            for form in ("rms", "layer"):
                scale = self._scale(probe, form)[:, None]  # [4, 1]
                got = self._gained(probe, form) / scale + (
                    0.0 if self.shift is None else self.shift
                )
                if torch.allclose(got, wanted, rtol=1e-4, atol=1e-5):
                    return form
        return None

    def whole(self, x: Float[Tensor, "row d_model"]) -> Float[Tensor, "row d_model"]:
        """The norm as it is, of whatever form."""
        normed: Tensor = self._module(x)
        return normed

    @property
    def shift(self) -> Float[Tensor, " d_model"] | None:
        """What is added at the end, if anything."""
        bias: Tensor | None = getattr(self._module, "bias", None)
        return bias

    def gained(self, x: Float[Tensor, "row d_model"]) -> Float[Tensor, "row d_model"]:
        """The norm before scale and shift: linear in x."""
        return self._gained(x, self.form)

    def scale(self, x: Float[Tensor, "row d_model"]) -> Float[Tensor, " row"]:
        """What each row is divided by."""
        return self._scale(x, self.form)

    def _gained(self, x: Tensor, form: str | None) -> Tensor:
        gained: Tensor = self._module.weight * _centred(x, form)
        return gained

    def _scale(self, x: Tensor, form: str | None) -> Tensor:
        module = self._module
        eps = getattr(module, "variance_epsilon", getattr(module, "eps", 0.0))
        return (_centred(wide(x), form).pow(2).mean(-1) + eps).sqrt()


def _centred(x: Tensor, form: str | None) -> Tensor:
    return x if form == "rms" else x - x.mean(-1, keepdim=True)  # [row, d_model] - [row, 1]
