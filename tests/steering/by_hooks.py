"""Answers under a changed residual stream, by hooks on Hugging Face's own model: the oracle."""

from __future__ import annotations

import numpy as np
import torch

from reference import block


def answer_logits(plain, layer, prompt, answer, added, removed=None):
    """Logits that predict an answer's tokens, [pos, d_vocab], in one pass over the whole text."""
    start = len(prompt) - 1

    def hook(module, args, output):
        value = output if isinstance(output, torch.Tensor) else output[0]
        changed = value.clone()
        for at in range(start, value.shape[1]):
            row = changed[0, at]
            if removed is not None:
                unit = torch.tensor(removed, dtype=row.dtype)
                row = row - torch.dot(row, unit) * unit
            changed[0, at] = row + torch.tensor(added, dtype=row.dtype)
        return changed if isinstance(output, torch.Tensor) else (changed, *output[1:])

    handle = block(plain, layer).register_forward_hook(hook)
    try:
        with torch.inference_mode():
            ids = torch.tensor([[*prompt, *answer]])
            return plain(input_ids=ids, use_cache=False).logits[0, start:-1]
    finally:
        handle.remove()


def mean_log_prob(logits, answer) -> float:
    rows = logits.double().log_softmax(-1)
    return float(np.mean([float(row[token]) for row, token in zip(rows, answer, strict=True)]))
