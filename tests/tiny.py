"""Tiny models with random weights, written as Hugging Face folders: the tests' stand-ins.

Their texts mean nothing, but they behave: they are small enough to be run one prompt at a time,
greedy texts differ from prompt to prompt, clamps change them, and some texts end in EOS.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from clampsweep.models.spec import ModelSpec

ARCHITECTURES = ("gpt2", "llama", "neox")
N_LAYERS, D_MODEL, D_MLP, N_CTX = 3, 24, 40, 64
WINDOW = 12  # how far back the layers of `mistral` look
BOS, EOS = 0, 1
# All of nine tokens.
PROMPTS = (
    "the cat ran",
    "glass is an",
    "on the hill",
    "she said no",
    "red or green",
    "a bird sang",
    "in the dark",
)
# Of six to thirteen tokens.
RAGGED_PROMPTS = ("is it so", "he ran off", "rain or sun", "the end of", "the rain is cold")
# A chat template that writes a BOS, and little else: the context is short.
CHAT = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ message['role'][0] + ':' + message['content'] | trim }}\n{% endfor %}"
    "{% if add_generation_prompt %}a:{% endif %}"
)
_MERGES = ("th", "he", "in", "er", "an", "on", "re", "ed", "or", "is", "Ġt", "Ġa", "Ġs", "Ġo")
# What the models say: the pairs above, these characters, and two bytes that are UTF-8 together.
_SAID = "abcdefghijklmnopqrstuvwxyz.,ĠÃ©"


def make_tiny(
    folder: Path | str,
    architecture: str,
    seed: int = 0,
    *,
    model: Any = None,
    chat_template: str | None = None,
    **overrides: Any,
) -> ModelSpec:
    """Make a model's folder; return its config entry (`source: path`, float64, no BOS).

    Args:
        folder: Made if it is not there.
        architecture: One of `ARCHITECTURES`, or `mistral`.
        seed: Of the weights.
        model: Weights to save instead of those of `random_model`.
        chat_template: Of the tokenizer, such as `CHAT`.
        overrides: Fields of the `ModelSpec` that shall be other than said.
    """
    model = model or random_model(architecture, seed)
    model.save_pretrained(folder)
    tiny_tokenizer(chat_template).save_pretrained(folder)
    spec = ModelSpec(
        where=f"test.yaml: models.tiny-{architecture}",
        name=f"tiny-{architecture}",
        source="path",
        licence="none",
        n_layers=N_LAYERS,
        d_mlp=D_MLP,
        dtype="float64",
        prepend_bos=False,
        weight_processing="none",
        path=str(folder),
    )
    return replace(spec, **overrides)


def tiny_tokenizer(chat_template: str | None = None) -> Any:
    """Byte-level BPE of 272 tokens: BOS, EOS, the 256 bytes, and a few pairs of letters."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    merges = [(pair[0], pair[1]) for pair in _MERGES]
    vocabulary = {token: at for at, token in enumerate(_vocabulary())}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<bos>",
        eos_token="<eos>",
        model_max_length=N_CTX,
        chat_template=chat_template,
    )


def _vocabulary() -> list[str]:
    from tokenizers import pre_tokenizers

    return ["<bos>", "<eos>", *sorted(pre_tokenizers.ByteLevel.alphabet()), *_MERGES]


def random_model(
    architecture: str,
    seed: int = 0,
    d_model: int = D_MODEL,
    d_mlp: int = D_MLP,
    *,
    n_layers: int = N_LAYERS,
    n_ctx: int = N_CTX,
) -> Any:
    """A Hugging Face model with weights so large that its logits differ widely."""
    import torch
    from transformers import AutoModelForCausalLM

    vocabulary = _vocabulary()
    config = _config(architecture, len(vocabulary), d_model, d_mlp, n_layers, n_ctx)
    model = AutoModelForCausalLM.from_config(config)
    head = model.eval().get_output_embeddings().weight
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name, weight in model.named_parameters():
            if weight is head:
                weight.normal_(0, 1)
                weight[[token not in {*_SAID, *_MERGES} for token in vocabulary]] *= 0.01
            elif weight.ndim == 2:
                fan_in = weight.shape[0 if architecture == "gpt2" else 1]
                embeds = "emb" in name or "wte" in name or "wpe" in name
                weight.normal_(0, 2 if embeds else 2 * fan_in**-0.5)
            elif name.endswith("bias"):
                weight.normal_(0, 0.3)
            else:
                weight.normal_(1, 0.1)
    _place_eos(model)
    return model


def attention_only(seed: int = 0) -> Any:
    """A GPT-NeoX whose MLPs, of one neuron each, write nothing: its config entry has `d_mlp: 0`."""
    import torch

    model = random_model("neox", seed, d_mlp=1)
    with torch.no_grad():
        for layer in model.gpt_neox.layers:
            for weight in layer.mlp.parameters():
                weight.zero_()
    return model


def _config(
    architecture: str, vocab_size: int, d_model: int, d_mlp: int, n_layers: int, n_ctx: int
) -> Any:
    from transformers import GPT2Config, GPTNeoXConfig, LlamaConfig, MistralConfig

    ids: dict[str, Any] = {"vocab_size": vocab_size, "bos_token_id": BOS, "eos_token_id": EOS}
    if architecture == "gpt2":
        sizes = {"n_embd": d_model, "n_inner": d_mlp, "n_layer": n_layers, "n_positions": n_ctx}
        return GPT2Config(**sizes, n_head=4, tie_word_embeddings=False, **ids)
    sizes = {
        "hidden_size": d_model,
        "intermediate_size": d_mlp,
        "num_hidden_layers": n_layers,
        "num_attention_heads": 4,
        "max_position_embeddings": n_ctx,
    }
    if architecture == "llama":
        return LlamaConfig(**sizes, num_key_value_heads=2, tie_word_embeddings=False, **ids)
    if architecture == "mistral":
        return MistralConfig(**sizes, num_key_value_heads=2, sliding_window=WINDOW, **ids)
    if architecture == "neox":
        return GPTNeoXConfig(**sizes, tie_word_embeddings=False, **ids)
    raise ValueError(f"unknown architecture {architecture!r}")


def _place_eos(model: Any, n_texts: int = 2) -> None:
    """Let some greedy texts end: swap the output weights of EOS and a token that they hold."""
    import torch

    tokenizer = tiny_tokenizer()
    texts = [_greedy(model, tokenizer(prompt).input_ids, 12)[3:] for prompt in PROMPTS]
    held = {token: sum(token in text for text in texts) for text in texts for token in text}
    best = min(held, key=lambda token: (abs(held[token] - n_texts), token))
    head = model.get_output_embeddings().weight
    with torch.no_grad():
        head[[EOS, best]] = head[[best, EOS]].clone()


def _greedy(model: Any, prompt: Sequence[int], n: int) -> list[int]:
    import torch

    tokens = list(prompt)
    with torch.inference_mode():
        for _ in range(n):
            tokens.append(int(model(torch.tensor([tokens])).logits[0, -1].argmax()))
    return tokens[len(prompt) :]
