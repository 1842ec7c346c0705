"""Which texts the detectors were measured on, and `coherence` set on, and how others differ.

The labelled texts (`workflow/data/bcr/README.md`) are one model's, recognised by the digest of its
weights' file, whatever the config calls it.
"""

from __future__ import annotations

from collections.abc import Sequence

from clampsweep.texts.request import TextRequest
from clampsweep.words import listed

MODEL = "SmolLM2-135M-Instruct"

SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"  # of its GGUF file

SHORTEST, LONGEST = 30, 50  # tokens that these texts may have at most

SOURCE = f"texts of {SHORTEST} to {LONGEST} tokens by {MODEL}"


def unlike(request: TextRequest | None) -> tuple[str, ...]:
    """How a request's texts differ from the labelled ones, in words; empty if they are alike.

    Args:
        request: What is generated; None for texts of a file, whose model is not known.
    """
    if request is None:
        return ("a model that is not known",)
    found = [] if request.model.sha256 == SHA256 else ["another model"]
    most = request.decoding.max_new_tokens
    if not SHORTEST <= most <= LONGEST:
        found.append(f"texts of up to {most:,} tokens")
    return tuple(found)


def guess(detector: str, how: Sequence[str]) -> str:
    """That a detector's bounds are a guess for texts that differ so; empty if they are not.

    Args:
        detector: Its name; only `coherence` has bounds that were set on texts.
        how: Of `unlike`.
    """
    if detector != "coherence" or not how:
        return ""
    return f"coherence's bounds were set on {SOURCE}, and are a guess for {listed(how)}"
