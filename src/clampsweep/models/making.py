"""What models that studies make have in common: their tokenizer, and what their folders say.

Training itself is `models.training`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from clampsweep.files import write_text
from clampsweep.models.loading import DIGESTS
from clampsweep.provenance import file_digest

BEGIN = "<|begin|>"  # the token that every sequence begins with

BEGIN_ID = 0


def learn(texts: Iterable[str], size: int, **special: str) -> PreTrainedTokenizerFast:
    """A byte BPE of `size` tokens: `BEGIN`, the 256 bytes, and the commonest pairs.

    Args:
        texts: What it is learnt from.
        size: Number of tokens, above 257.
        special: Further roles of `BEGIN`, such as `eos_token`.
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
        tokenizer_object=backend, bos_token=BEGIN, clean_up_tokenization_spaces=False, **special
    )
    return made


def seal(folder: Path, recipe: Mapping[str, Any]) -> None:
    """Write a made model's recipe (`recipe.json`), and the digests of all that is in its folder.

    Args:
        folder: Of the model, else complete.
        recipe: How it was made.

    Raises:
        UserError: The operating system refused a file.
    """
    write_text(json.dumps(recipe, indent=1, sort_keys=True) + "\n", folder / "recipe.json")
    lines = [f"{file_digest(path)}  {path.name}\n" for path in sorted(folder.iterdir())]
    write_text("".join(lines), folder / DIGESTS)
