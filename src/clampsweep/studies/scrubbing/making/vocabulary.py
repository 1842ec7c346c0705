"""Token ids of the texts that the trained model learns from."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor
from transformers import PreTrainedTokenizerFast

_BETWEEN = "\n\n"  # two documents of a stream


def stream(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> Int[Tensor, " token"]:
    """Token ids of texts, one after the other, a blank line after each.

    Args:
        tokenizer: Of the model.
        texts: Documents.
    """
    encoded = tokenizer([text + _BETWEEN for text in texts], add_special_tokens=False).input_ids
    return torch.cat([torch.tensor(ids, dtype=torch.int64) for ids in encoded])
