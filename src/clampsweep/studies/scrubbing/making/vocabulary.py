"""The tokenizer of the trained model: byte BPE, and a token that every example begins with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from jaxtyping import Int
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import PreTrainedTokenizerFast

BEGIN = "<|begin|>"

BEGIN_ID = 0

_BETWEEN = "\n\n"  # two documents of a stream


def learn(texts: Iterable[str], size: int) -> PreTrainedTokenizerFast:
    """A tokenizer of `size` tokens: `BEGIN`, the 256 bytes, and the commonest pairs.

    Args:
        texts: What it is learnt from.
        size: Number of tokens, above 257.
    """
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[BEGIN],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer)
    fast: Any = PreTrainedTokenizerFast
    made: PreTrainedTokenizerFast = fast(
        tokenizer_object=backend, bos_token=BEGIN, clean_up_tokenization_spaces=False
    )
    return made


def stream(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]) -> Int[Tensor, " token"]:
    """Token ids of texts, one after the other, a blank line after each.

    Args:
        tokenizer: Of the model.
        texts: Documents.
    """
    encoded = tokenizer([text + _BETWEEN for text in texts], add_special_tokens=False).input_ids
    return torch.cat([torch.tensor(ids, dtype=torch.int64) for ids in encoded])
