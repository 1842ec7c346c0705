"""Layer-0 heads of which only a part is drawn: windows of tokens, and patterns that are given.

Offsets are of a key from its query, so -1 is the token before. A head's output at query i is the
sum over keys j of pattern[i, j] times the value of j, from the reference where the offset j - i is
kept, else from the draw. The pattern is

- `draw`, `reference`: that of the draw, or of the reference;
- `window`: softmax of scores whose key j is from the reference where j - i is kept, else from the
  draw, and whose query is from the reference if offset 0 is kept;
- `previous`, `self`, `first`, `zero`: all on the token before (the first token: on itself), on
  itself, on the first token, or nowhere.

So a window costs two score matrices, not a pass for each position.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from clampsweep.studies.scrubbing.cells import Source
from clampsweep.studies.scrubbing.forward import Forward


def kept(keep: tuple[int, int] | None, n_pos: int) -> Bool[Tensor, "query key"]:
    """Whether the offset of a key from a query is kept.

    Args:
        keep: Offsets, from and to; None for none.
        n_pos: Number of positions.
    """
    if keep is None:
        return torch.zeros(n_pos, n_pos, dtype=torch.bool)
    at = torch.arange(n_pos)
    offsets = at[None, :] - at[:, None]  # [query, key]
    return (offsets >= keep[0]) & (offsets <= keep[1])


def pattern_of(
    forward: Forward,
    source: Source,
    reference: Sequence[Float[Tensor, "pos d_head"]],
    drawn: Sequence[Float[Tensor, "pos d_head"]],
) -> Float[Tensor, "query key"]:
    """The attention pattern of a layer-0 head, as the source says.

    Args:
        forward: For sequences of this length.
        source: What of the head is drawn.
        reference: The head's queries, keys and values on the reference.
        drawn: The same on the draw.
    """
    if source.pattern in ("draw", "reference"):
        q, k, _ = drawn if source.pattern == "draw" else reference
        return forward.scores(q[None], k[None])[0].softmax(-1)
    if source.pattern == "window":
        own = source.keep is not None and source.keep[1] == 0
        query = (reference if own else drawn)[0][None]
        own_keys, drawn_keys = (
            forward.scores(query, part[1][None])[0] for part in (reference, drawn)
        )
        mask = kept(source.keep, forward.n_pos)
        return torch.where(mask, own_keys, drawn_keys).softmax(-1)
    return fixed_pattern(source.pattern, forward.n_pos).to(reference[0].dtype)


def fixed_pattern(name: str, n_pos: int) -> Float[Tensor, "query key"]:
    """A pattern that depends on no token.

    Args:
        name: One of `hypotheses.FIXED`.
        n_pos: Number of positions.
    """
    at, pattern = torch.arange(n_pos), torch.zeros(n_pos, n_pos)
    if name == "zero":
        return pattern
    keys = {"previous": (at - 1).clamp(min=0), "self": at, "first": torch.zeros_like(at)}
    pattern[at, keys[name]] = 1
    return pattern


def kept_values(
    pattern: Float[Tensor, "query key"],
    keep: tuple[int, int] | None,
    reference: Float[Tensor, "pos d_head"],
    drawn: Float[Tensor, "pos d_head"],
) -> Float[Tensor, "pos d_head"]:
    """Values of two examples, mixed by a pattern.

    Args:
        pattern: Of the head.
        keep: Offsets whose values are the reference's; None for none.
        reference: The head's values on the reference.
        drawn: The same on the draw.
    """
    mask = kept(keep, len(pattern))
    return pattern.where(mask, 0) @ reference + pattern.where(~mask, 0) @ drawn
