"""Columns that tables of texts share, and the tables of a batch."""

from __future__ import annotations

from clampsweep.tables import Column, Schema

TEXT_DIGEST = Column("str", "SHA-256 of the prompt's text in UTF-8")

INTERVENTION = {
    "target": Column(
        "str",
        "neuron, neurons joined by +, or direction (L15@name), that is changed; null in a baseline",
        null=True,
    ),
    "layer": Column("int", "layer of the target (the lowest, if several)", null=True),
    "neuron": Column(
        "int", "index in the layer; null in a baseline, for several neurons, a direction", null=True
    ),
    "operation": Column("str", "none, set, add, scale, mean, resample, zero or steer"),
    "value": Column(
        "float",
        "what set, add, mean (activation units), scale (factor) or steer (multiple) uses; null if "
        "neurons have values of their own",
        null=True,
    ),
    "scope": Column(
        "str", "positions changed: all, prompt, generated, last, last_cached or indices", null=True
    ),
    "seed": Column(
        "int", "seed of sampling or of resampling; null where nothing is drawn", null=True
    ),
}

ROW = {
    "prompt_id": Column("str", "the prompt's name in its promptset"),
    "key": Column("str", "digest of the combination's identity"),
    **INTERVENTION,
}

DECODED = {
    "n_prompt_tokens": Column("int", "prompt length in model tokens", null=True),
    "token_ids": Column(
        "tokens", "generated token ids, without the end-of-sequence token", null=True
    ),
    "text": Column("str", "generated text, special tokens left out"),
    "n_new_tokens": Column("int", "number of generated tokens", null=True),
    "stop_reason": Column("str", "eos, stop_string, max_new_tokens or context", null=True),
    "min_margin": Column(
        "float", "smallest gap of the two highest logits along the text; null if sampled", null=True
    ),
    "nll_unclamped": Column(
        "float",
        "mean negative log-likelihood of the text's tokens under the unclamped model, nats",
        null=True,
    ),
    "p_end_first": Column(
        "float",
        "probability, 0..1, that the first token ends the text, under its own clamp and format",
        null=True,
    ),
}

BATCH_GENERATIONS = Schema(
    "batch generations",
    {
        "key": ROW["key"],
        "text_digest": TEXT_DIGEST,
        **INTERVENTION,
        **DECODED,
    },
    key=("key",),
)

BATCH_VECTORS = Schema(
    "batch vectors",
    {
        "key": ROW["key"],
        "layer": Column("int", "layer of the vector"),
        "vector": Column(
            "vector",
            "mean MLP post-activation over generated positions, after the intervention",
            null=True,
        ),
        "natural_value": Column(
            "float",
            "mean over generated positions of the neuron's value before it was changed",
            null=True,
        ),
    },
    key=("key", "layer"),
)
