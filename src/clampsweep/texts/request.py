"""What texts are asked for: the request that a study hands to the planner, and its parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class PromptsetSpec:
    """One entry of `promptsets`: a local file, or an address with its digest."""

    where: str
    name: str
    format: str
    path: str | None = None
    url: str | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Decoding:
    """How tokens are chosen: greedy, or sampling at a temperature with top-k and top-p cuts."""

    method: str
    max_new_tokens: int
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def as_json(self) -> dict[str, Any]:
        """The parameters that matter for the method, as they stand in a combination's identity."""
        greedy = {"method": self.method, "max_new_tokens": self.max_new_tokens}
        if self.method == "greedy":
            return greedy
        top_p = None if self.top_p is None else float(self.top_p)
        cuts = {"top_k": self.top_k, "top_p": top_p}
        return {**greedy, "temperature": float(self.temperature), **cuts}


@dataclass(frozen=True)
class Selection:
    """Neurons chosen by baseline statistics: the `top` by a criterion, in one layer or all."""

    select: str
    layer: int | None
    top: int
