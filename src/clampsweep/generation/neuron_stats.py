"""Statistics of every neuron over the baseline texts, and the choice of neurons by them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from clampsweep import tables
from clampsweep.generation.prompts import encode
from clampsweep.models.activations import stream
from clampsweep.models.loading import load
from clampsweep.models.model import Model
from clampsweep.models.moments import Moments
from clampsweep.models.spec import ModelSpec
from clampsweep.names import MLP_POST, HookPoint, hook_points
from clampsweep.provenance import record
from clampsweep.texts.pinned import read_plan
from clampsweep.texts.promptset import PROMPTS
from clampsweep.texts.request import PromptFormat
from clampsweep.texts.selection import NEURON_STATS
from clampsweep.texts.tables import BATCH_GENERATIONS

log = logging.getLogger(__name__)


def neuron_statistics(
    model: Model, prompts: Sequence[Sequence[int]], texts: Sequence[Sequence[int]]
) -> pd.DataFrame:
    """MLP post-activation of every neuron over generated positions (`NEURON_STATS`).

    Every generated position counts once, the last token's included.

    Args:
        model: Loaded model.
        prompts: Prompt token ids.
        texts: Token ids generated after each prompt.
    """
    layers = range(model.n_layers)
    moments = {layer: Moments(model.d_mlp) for layer in layers}
    used = [at for at, text in enumerate(texts) if len(text)]
    sequences = [[*prompts[at], *texts[at]] for at in used]

    def receive(numbers: list[int], point: HookPoint, activation: Tensor) -> None:
        for number, row in zip(numbers, activation, strict=True):
            moments[point.layer].add(row[len(prompts[used[number]]) :].float().cpu().numpy())

    with tqdm(total=len(sequences), unit="text", desc="neuron_stats", mininterval=1) as bar:
        for done in stream(model, sequences, hook_points(MLP_POST, layers), receive):
            bar.update(done)
    frames = []
    for layer, one in moments.items():
        w_out = model.output_directions(layer, torch.arange(model.d_mlp, device=model.device))
        norm = w_out.double().norm(dim=-1).cpu().numpy()
        frames.append(_layer_frame(layer, one, len(used)).assign(w_out_norm=norm))
    return pd.concat(frames, ignore_index=True)


def _layer_frame(layer: int, moments: Moments, n_prompts: int) -> pd.DataFrame:
    sd = moments.sd
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(sd > 0, np.abs(moments.mean) / sd, np.nan)
    known = 1.0 if moments.n else np.nan  # nan where every text is empty
    return pd.DataFrame(
        {
            "layer": layer,
            "neuron": np.arange(len(sd)),
            "n_prompts": n_prompts,
            "n_positions": moments.n,
            "mean": moments.mean * known,
            "sd": sd,
            "min": moments.min * known,
            "max": moments.max * known,
            "share_positive": moments.share_positive * known,
            "mean_over_sd": ratio,
        }
    )


def compute_statistics(
    plan: Path,
    prompts: Path,
    batches: Sequence[Path],
    model_folder: Path,
    spec: ModelSpec,
    prompt_format: PromptFormat,
    threads: int,
    device: str,
    code: str,
    output: Path,
) -> None:
    """Make a sweep's `neuron_stats` table from its baseline generations.

    Args:
        plan: Pinned plan of the baselines.
        prompts: The sweep's prompts table.
        batches: Batch generations that hold them.
        model_folder: What `fetch_model` made.
        spec: The model's config entry.
        prompt_format: How the prompts reached the model.
        threads: CPU threads.
        device: `auto`, `cpu` or `cuda`.
        code: Code digest, for the footer.
        output: Where the table goes.
    """
    keys = {key for _, key in read_plan(plan)}
    found = pd.concat([tables.read(path, BATCH_GENERATIONS) for path in batches])
    found = found[found["key"].isin(keys)].drop_duplicates("key")
    text = tables.read(prompts, PROMPTS).drop_duplicates("text_digest")
    texts = text.set_index("text_digest")["text"]
    model = load(model_folder, spec, threads, device)
    frame = neuron_statistics(
        model,
        [encode(model, texts[digest], prompt_format) for digest in found["text_digest"]],
        [ids.tolist() for ids in found["token_ids"]],
    )
    provenance = record(model=model.manifest["digest"], code=code, plan=plan.stem)
    tables.write(frame, output, NEURON_STATS, provenance)
