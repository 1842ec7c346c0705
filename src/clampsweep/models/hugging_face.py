"""Hugging Face's own model and tokenizer of a folder, offline: refused unless they are whole.

transformers draws weights that a checkpoint lacks at random and passes over those that it does not
know; both are only logged. Here they end the run (`whole.py`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from clampsweep.errors import UserError, reason
from clampsweep.models.whole import Report, check_report, few


def load_plain(folder: Path, dtype: torch.dtype, device: str | torch.device, where: str) -> Any:
    """Hugging Face's own model of a fetched folder, in evaluation mode: whole, dense, causal.

    Args:
        folder: Holds `config.json` and safetensors.
        dtype: Of the weights.
        device: Where they go.
        where: The model's place in the config, for messages.

    Raises:
        UserError: Weights are missing, unknown or of another shape; or the model is no dense
            causal language model, or cannot run in this dtype, or not on this device.
    """
    plain, report = _read(folder, dtype, where)
    check_report(report, folder, where)
    _check_dense(plain, where)
    plain = _place(plain, device, where).eval()
    _check_runs(plain, where)
    return plain


def check_skeleton(config: Any, where: str) -> None:
    """Refuse a mixture of experts before its weights are read.

    Args:
        config: The model's, as transformers reads it.
        where: The model's place in the config, for messages.

    Raises:
        UserError: It is one, or no model can be made of its config.
    """
    from transformers import AutoModelForCausalLM

    auto: Any = AutoModelForCausalLM
    try:
        with torch.device("meta"):
            skeleton = auto.from_config(config, trust_remote_code=False)
    except (ValueError, KeyError, TypeError, AttributeError, ImportError, RuntimeError) as error:
        raise _unreadable(error, where) from error
    _check_dense(skeleton, where)


def load_tokenizer(folder: Path, where: str) -> Any:
    """The tokenizer of a fetched folder.

    Args:
        folder: Holds the tokenizer's files.
        where: The model's place in the config, for messages.

    Raises:
        UserError: transformers cannot read it.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True
        )
        ids = tokenizer("a", add_special_tokens=False).input_ids
    except Exception as error:  # the tokenizers library raises no other type
        raise UserError(
            f"{where}: transformers cannot read the tokenizer: {reason(error)}; add the "
            "tokenizer.json that a fast tokenizer saves"
        ) from error
    if not ids:
        raise UserError(f"{where}: the tokenizer makes no token of 'a'; get its files again")
    return tokenizer


def check_vocabulary(tokenizer: Any, plain: Any, where: str) -> None:
    """Refuse a tokenizer with a token for common text that the model has no row for.

    A special token without a row (Gemma 3 of 1 B has one, for images) does no harm until a prompt
    names it: `tokens.check_ids` refuses that.

    Args:
        tokenizer: Of the model.
        plain: The model.
        where: The model's place in the config, for messages.

    Raises:
        UserError: There is such a token, or the token that prompts begin with is one.
    """
    rows = n_rows(plain)
    special = set(tokenizer.all_special_ids)
    special |= {at for at, one in tokenizer.added_tokens_decoder.items() if one.special}
    special -= {tokenizer.bos_token_id}
    lost = {at: token for token, at in tokenizer.get_vocab().items() if at >= rows}
    named = [f"{token!r} ({at})" for at, token in sorted(lost.items()) if at not in special]
    if named:
        raise UserError(
            f"{where}: the tokenizer has {few(named)}, but the model only rows 0 to {rows - 1}; "
            "use the tokenizer that the model was trained with, or call resize_token_embeddings "
            "and train"
        )


def n_rows(plain: Any) -> int:
    """Number of tokens that a model knows: rows of its embedding."""
    return int(plain.get_input_embeddings().weight.shape[0])


def _read(folder: Path, dtype: torch.dtype, where: str) -> tuple[Any, Report]:
    from transformers import AutoModelForCausalLM

    try:
        with _without_report():
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=dtype,
                trust_remote_code=False,
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # so that they are listed
            )
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        ImportError,
        RuntimeError,
        SafetensorError,
    ) as error:
        raise _unreadable(error, where) from error
    plain, report = loaded
    mismatched = [(name, list(one), list(two)) for name, one, two in report["mismatched_keys"]]
    missing, unexpected = sorted(report["missing_keys"]), sorted(report["unexpected_keys"])
    return plain, Report(missing, unexpected, sorted(mismatched))


def _unreadable(error: Exception, where: str) -> UserError:
    return UserError(f"{where}: transformers cannot load this model: {reason(error)}")


@contextmanager
def _without_report() -> Iterator[None]:
    """Keep transformers from printing its table of missing weights: our one line says it."""
    log = logging.getLogger("transformers.modeling_utils")
    log.disabled = True  # at another level transformers has other things to say
    try:
        yield
    finally:
        log.disabled = False


def _check_dense(plain: Any, where: str) -> None:
    """Refuse a mixture of experts, in which a neuron has no one output projection."""
    for name, _ in plain.named_modules():
        if name.rpartition(".")[2] == "experts":
            raise UserError(
                f"{where}: a mixture of experts ({name}); only models with one MLP in each layer "
                "can be swept"
            )


def _place(plain: Any, device: str | torch.device, where: str) -> Any:
    try:
        return plain.to(device)
    except torch.OutOfMemoryError as error:
        raise UserError(
            f"{where}: the weights do not fit into the memory of {device}; use a narrower dtype or "
            "another device"
        ) from error


def _check_runs(plain: Any, where: str) -> None:
    """Run a few tokens: refuse a dtype without operators, or without the range, or hindsight."""
    dtype = str(plain.dtype).removeprefix("torch.")
    tokens = torch.arange(4, device=plain.device)[None] % n_rows(plain)  # [1, pos]
    other = tokens.clone()
    other[0, -1] = n_rows(plain) - 1
    try:
        one, two = _logits(plain, tokens), _logits(plain, other)
    except torch.OutOfMemoryError as error:
        raise UserError(f"{where}: no memory left on {plain.device} to run the model") from error
    except (RuntimeError, NotImplementedError) as error:
        raise UserError(
            f"{where}: the model cannot run in dtype {dtype}: {reason(error)}; try float32"
        ) from error
    if not one.isfinite().all():
        raise UserError(
            f"{where}: the model's logits are not finite in dtype {dtype}; use float32, or get the "
            "model again"
        )
    seen = (one[:, :-1] - two[:, :-1]).abs().max()
    if seen > 8 * torch.finfo(plain.dtype).eps * one.abs().max():
        raise UserError(
            f"{where}: {plain.config.model_type!r} is no causal language model: what it says of a "
            "token depends on later ones; use a decoder such as GPT-2 or Llama"
        )


@torch.inference_mode()
def _logits(plain: Any, tokens: Tensor) -> Tensor:
    """Of each position, float64: `[1, pos, vocabulary]`."""
    logits: Tensor = plain(input_ids=tokens, use_cache=False).logits
    return logits.double()
