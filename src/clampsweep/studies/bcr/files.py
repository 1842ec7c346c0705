"""Files of an entry: what is kept and what each is, the tables that are read, the figures."""

from __future__ import annotations

from types import MappingProxyType

KEPT = MappingProxyType(
    {
        "summary.md": "the answers, in words and numbers",
        "summary.html": "the same as a page",
        "verdicts.parquet": "the answers as a table: claim, estimate, interval, p, q, verdict",
        "ledger.parquet": "the controls of each answer: how many ran, or why not",
        "improvement_report.md": "every collapsed baseline and each text that a clamp recovered",
        "metrics.csv": "every text with its prompt, metrics and flags",
        "extracted.tsv": "core_id, type, level, sweep, prompt, output, as the field exchanges them",
        "prompts.parquet": "the prompts",
        "generations.parquet": "the texts and token ids",
        "text_metrics.parquet": "numbers of each text",
        "recovery.parquet": "flags of each text against its baseline",
        "rates.parquet": "rescue and harm by clamp, with intervals and p values",
        "split_half.parquet": "the best clamp chosen on half of the prompts, scored on the rest",
    }
)
KEPT_GENERATED = MappingProxyType(
    {
        "vectors.npz": "mean MLP post-activation vector of each text",
        "vectors.parquet": "the same as a table",
        "neuron_stats.parquet": "every neuron's statistics over the baseline",
        "neuron_report.md": "neurons that stand out in the baseline",
    }
)
KEPT_CONTROLS = MappingProxyType(
    {
        "special.parquet": "each target beside its controls: percentile and p value",
        "controls/controls.parquet": "which neurons and directions the controls are",
        "controls/best_clamps.parquet": "the clamp at which each target is compared with them",
        "controls/prompts.parquet": "the prompts that they ran on",
        "controls/generations.parquet": "their texts",
        "controls/text_metrics.parquet": "numbers of each text",
        "controls/recovery.parquet": "flags of each text against its baseline",
        "controls/rates.parquet": "rescue and harm by control and clamp",
    }
)
KEPT_VARIABILITY = MappingProxyType(
    {
        "variability.parquet": "collapse of sampled baselines, seed by seed",
        "variability/generations.parquet": "their texts",
    }
)
KEPT_CHAT = MappingProxyType(
    {
        "chat_baselines.parquet": "collapse of the baselines in the chat format, beside the raw",
        "chat/generations.parquet": "their texts",
    }
)
KEPT_VERIFIED = MappingProxyType(
    {
        "verification.md": "the sweep beside published figures, a line for each",
        "verification.parquet": "the same as a table",
    }
)
DETECTORS = MappingProxyType(
    {
        "quality.parquet": "precision and recall of the collapse detectors on labelled texts",
        "calibration.parquet": "share of broken texts by text metric",
        "detectors.md": "both in words",
        "detectors.svg": "both as a figure",
        "detectors.png": "the same",
    }
)
"""In `results/detectors/`, once for all entries."""

FIGURES = MappingProxyType(
    {
        "improvement_rate": "rescue and harm by clamp, beside controls and sampled baselines",
        "rescue_vs_harm": "what each clamp mends against what it breaks",
        "states": "every prompt at every clamp: rescued, harmed, collapsed or fine",
        "natural_range": "the clamp values in the neuron's natural range",
        "text_metrics": "metrics of the texts by clamp",
        "first_divergence": "where clamped texts part from their baselines",
        "controls": "the targets' net effects among their controls'",
    }
)

TABLES = MappingProxyType(
    {
        "prompts": "{entry}/prompts.parquet",
        "generations": "{entry}/generations.parquet",
        "text_metrics": "{entry}/text_metrics.parquet",
        "recovery": "{entry}/recovery.parquet",
        "rates": "{entry}/rates.parquet",
        "split_half": "{entry}/split_half.parquet",
        "neuron_stats": "{entry}/neuron_stats.parquet",
        "special": "{entry}/special.parquet",
        "controls": "{entry}/controls/controls.parquet",
        "best_clamps": "{entry}/controls/best_clamps.parquet",
        "control_recovery": "{entry}/controls/recovery.parquet",
        "control_metrics": "{entry}/controls/text_metrics.parquet",
        "variability": "{entry}/variability.parquet",
        "chat_baselines": "{entry}/chat_baselines.parquet",
        "verification": "{entry}/verification.parquet",
        "detector_quality": "detectors/quality.parquet",
        "verdicts": "{entry}/verdicts.parquet",
        "ledger": "{entry}/ledger.parquet",
    }
)
"""The tables that `view.Tables` holds, by the name of its field, relative to `results/`."""
