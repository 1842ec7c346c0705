"""Every table of the project: columns with type and unit, key; checked reading, atomic writing.

The only module that uses pyarrow. A table on disk is always whole: it is written beside its
place, flushed to the disk, and renamed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from clampsweep.errors import UserError, explain_os_error

SCHEMA_VERSION = 1
_FOOTER_KEY = b"clampsweep"

_TYPES = {
    "str": pa.string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "tokens": pa.list_(pa.int32()),
    "vector": pa.list_(pa.float32()),
}


@dataclass(frozen=True)
class Column:
    """A column: type (a key of `_TYPES`), meaning with its unit, and whether it may be null."""

    type: str
    doc: str
    null: bool = False


@dataclass(frozen=True)
class Schema:
    """A table's name, columns, the columns that identify a row, and whether more may follow."""

    name: str
    columns: Mapping[str, Column]
    key: tuple[str, ...]
    open: bool = False


_INTERVENTION = {
    "target": Column(
        "str", "neuron, or neurons joined by +, that is changed; null in a baseline", null=True
    ),
    "layer": Column("int", "layer of the target (the lowest, if several)", null=True),
    "neuron": Column(
        "int", "index in the layer; null in a baseline and for several neurons", null=True
    ),
    "operation": Column("str", "none, set, add, scale, mean, resample or zero"),
    "value": Column(
        "float", "what set, add, mean (activation units) or scale (factor) uses", null=True
    ),
    "scope": Column(
        "str", "positions changed: all, prompt, generated, last, last_cached or indices", null=True
    ),
    "seed": Column(
        "int", "seed of sampling or of resampling; null where nothing is drawn", null=True
    ),
}
_ROW = {
    "prompt_id": Column("str", "the prompt's name in its promptset"),
    "key": Column("str", "digest of the combination's identity"),
    **_INTERVENTION,
}
_DECODED = {
    "n_prompt_tokens": Column("int", "prompt length in model tokens", null=True),
    "token_ids": Column(
        "tokens", "generated token ids, without the end-of-sequence token", null=True
    ),
    "text": Column("str", "generated text, special tokens left out"),
    "n_new_tokens": Column("int", "number of generated tokens", null=True),
    "stop_reason": Column("str", "eos, max_new_tokens or context", null=True),
    "min_margin": Column(
        "float", "smallest gap of the two highest logits along the text; null if sampled", null=True
    ),
    "nll_unclamped": Column(
        "float",
        "mean negative log-likelihood of the text's tokens under the unclamped model, nats",
        null=True,
    ),
}

PROMPTS = Schema(
    "prompts",
    {
        "prompt_id": Column("str", "readable, stable name, such as presence_by_door/declarative/2"),
        "text": Column("str", "the prompt"),
        "text_digest": Column("str", "SHA-256 of the text in UTF-8"),
        "core": Column("str", "core proposition that the prompt varies", null=True),
        "proposition": Column("str", "the core proposition in words", null=True),
        "type": Column("str", "kind of sentence, such as declarative", null=True),
        "level": Column("int", "level of certainty", null=True),
    },
    key=("prompt_id",),
    open=True,
)
BATCH_GENERATIONS = Schema(
    "batch generations",
    {
        "key": _ROW["key"],
        "text_digest": PROMPTS.columns["text_digest"],
        **_INTERVENTION,
        **_DECODED,
    },
    key=("key",),
)
BATCH_VECTORS = Schema(
    "batch vectors",
    {
        "key": _ROW["key"],
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
GENERATIONS = Schema(
    "generations",
    {
        "model": Column("str", "model name in the config"),
        **_ROW,
        **_DECODED,
        "first_divergence_step": Column(
            "int",
            "first generated token (from 0) that differs from the baseline; null if none does",
            null=True,
        ),
    },
    key=("prompt_id", "key"),
)
VECTORS = Schema(
    "vectors",
    {
        **_ROW,
        "layer": BATCH_VECTORS.columns["layer"],
        **{name: BATCH_VECTORS.columns[name] for name in ("vector", "natural_value")},
    },
    key=("prompt_id", "key", "layer"),
)
NEURON_STATS = Schema(
    "neuron_stats",
    {
        "layer": Column("int", "layer"),
        "neuron": Column("int", "index in the layer"),
        "n_prompts": Column("int", "number of baseline texts"),
        "n_positions": Column("int", "number of generated positions"),
        "mean": Column("float", "mean post-activation over positions; null if none", null=True),
        "sd": Column("float", "standard deviation over positions (n - 1)", null=True),
        "min": Column("float", "smallest value", null=True),
        "max": Column("float", "largest value", null=True),
        "share_positive": Column("float", "share of positions above 0, in 0..1", null=True),
        "mean_over_sd": Column("float", "|mean| / sd; null where sd is 0", null=True),
        "w_out_norm": Column("float", "norm of what one unit of it adds to the residual stream"),
    },
    key=("layer", "neuron"),
)
PUBLISHED_METRICS = {
    "total_tokens": Column("int", "number of words (runs of non-whitespace)", null=True),
    "unique_tokens": Column("int", "number of distinct words", null=True),
    "token_entropy": Column("float", "entropy of the word distribution, bits", null=True),
    "num_sentences": Column("int", "number of sentences", null=True),
    "avg_sentence_length": Column("float", "words per sentence", null=True),
    "num_repeated_bigrams": Column(
        "int", "distinct adjacent word pairs that occur at least twice", null=True
    ),
}
FURTHER_METRICS = {
    "distinct_1": Column("float", "distinct model tokens / model tokens", null=True),
    "distinct_2": Column("float", "distinct token pairs / token pairs", null=True),
    "distinct_3": Column("float", "distinct token triples / token triples", null=True),
    "rep_4": Column("float", "share of token 4-grams seen before in the text", null=True),
    "loop_period": Column(
        "int", "period in tokens of the longest exactly periodic suffix; null if none", null=True
    ),
    "loop_coverage": Column(
        "float", "share of the text's tokens in that suffix, in 0..1", null=True
    ),
    "zlib_ratio": Column("float", "compressed bytes / bytes of the text in UTF-8", null=True),
    "symbol_share": Column(
        "float", "share of characters neither alphanumeric nor whitespace", null=True
    ),
    "nonletter_share": Column(
        "float", "share of non-whitespace characters that are no letters", null=True
    ),
}
LIKELIHOOD_METRICS = {"nll_unclamped": _DECODED["nll_unclamped"]}
TEXT_METRICS = Schema(
    "text_metrics",
    {**_ROW, **PUBLISHED_METRICS, **FURTHER_METRICS, **LIKELIHOOD_METRICS},
    key=("prompt_id", "key"),
)
RECOVERY = Schema(
    "recovery",
    {
        "detector": Column("str", "collapse detector"),
        **_ROW,
        "baseline_collapsed": Column("bool", "the prompt's baseline is collapsed"),
        "collapsed": Column("bool", "this output is collapsed"),
        "intervention_improves_baseline": Column("bool", "baseline collapsed, this output not"),
        "intervention_harms_baseline": Column("bool", "baseline not collapsed, this output is"),
        **{
            f"delta_{name}": Column(
                "float", f"{name} minus the baseline's: {column.doc}", null=True
            )
            for name, column in PUBLISHED_METRICS.items()
        },
    },
    key=("detector", "prompt_id", "key"),
)
_SWEPT = {
    name: _INTERVENTION[name]
    for name in ("target", "layer", "neuron", "operation", "value", "scope")
}


def _bootstrap(name: str) -> dict[str, Column]:
    """The two ends of a bootstrap interval, null where fewer than 2 clusters count."""
    doc = "cluster bootstrap 95 % interval"
    return {
        f"{name}_boot_low": Column("float", f"{doc}, lower end", null=True),
        f"{name}_boot_high": Column("float", f"{doc}, upper end", null=True),
    }


RATES = Schema(
    "rates",
    {
        "detector": Column("str", "collapse detector"),
        **_SWEPT,
        "n": Column("int", "number of pairs of baseline and intervened text (prompts x seeds)"),
        "n_clusters": Column("int", "number of cores, or of prompts if some have no core"),
        "n_collapsed_baseline": Column("int", "pairs whose baseline is collapsed"),
        "n_rescued": Column("int", "of these, outputs not collapsed"),
        "rescue_rate": Column("float", "n_rescued / n_collapsed_baseline; null if none", null=True),
        "rescue_low": Column("float", "Wilson 95 % interval, lower end", null=True),
        "rescue_high": Column("float", "Wilson 95 % interval, upper end", null=True),
        **_bootstrap("rescue"),
        "n_fine_baseline": Column("int", "pairs whose baseline is not collapsed"),
        "n_harmed": Column("int", "of these, outputs collapsed"),
        "harm_rate": Column("float", "n_harmed / n_fine_baseline; null if none", null=True),
        "harm_low": Column("float", "Wilson 95 % interval, lower end", null=True),
        "harm_high": Column("float", "Wilson 95 % interval, upper end", null=True),
        **_bootstrap("harm"),
        "net": Column("int", "n_rescued - n_harmed"),
        **_bootstrap("net"),
        "mcnemar_p": Column("float", "exact two-sided McNemar p of rescue against harm"),
        "mcnemar_q": Column(
            "float", "the p value after Benjamini-Hochberg over all rows of the detector"
        ),
        "cluster_p": Column(
            "float", "two-sided p of net under sign flips of whole cores (or prompts, as above)"
        ),
        "cluster_q": Column(
            "float", "the p value after Benjamini-Hochberg over all rows of the detector"
        ),
    },
    key=("detector", "target", "operation", "value", "scope"),
)
CONTROLS = Schema(
    "controls",
    {
        "target": Column("str", "neuron, or neurons joined by +, that the control is for"),
        "control": Column("str", "name of the control"),
        "kind": Column("str", "neuron, or direction in the residual stream"),
        "layer": Column("int", "layer of the control; null if it is a joint one", null=True),
        "neuron": Column(
            "int", "its index in the layer; null for a direction and a joint one", null=True
        ),
        "w_out_norm": Column(
            "float", "norm of its row of W_out; of a direction, the target's", null=True
        ),
        "activation_rms": Column(
            "float", "root mean square of its activation; of a direction, the target's", null=True
        ),
        "target_w_out_norm": Column("float", "norm of the target's row of W_out", null=True),
        "target_activation_rms": Column(
            "float", "root mean square of the target's activation", null=True
        ),
        "distance": Column(
            "float", "how far from the target in these two, in SDs over the layer", null=True
        ),
    },
    key=("target", "control"),
)
SPECIAL = Schema(
    "special",
    {
        "detector": Column("str", "collapse detector"),
        "target": Column("str", "neuron, or neurons joined by +, that is compared"),
        "kind": Column("str", "what it is compared with: neuron or direction controls"),
        "statistic": Column("str", "largest_net, best_net or most_harmed: a maximum over clamps"),
        "observed": Column("float", "the target's value, in pairs"),
        "control_median": Column("float", "median of the controls' values, in pairs"),
        "control_low": Column("float", "lowest of the controls' values, in pairs"),
        "control_high": Column("float", "highest of the controls' values, in pairs"),
        "n_controls": Column("int", "number of controls"),
        "n_prompts": Column("int", "prompts on which target and controls are compared"),
        "n_clamps": Column("int", "clamps over which the maximum is taken"),
        "percentile": Column("float", "controls below the target, ties half, in 0..100"),
        "p": Column("float", "(1 + controls at or above the target) / (1 + controls)"),
        "q": Column("float", "the p value after Benjamini-Hochberg over the targets"),
    },
    key=("detector", "target", "kind", "statistic"),
)
SPLIT_HALF = Schema(
    "split_half",
    {
        "detector": Column("str", "collapse detector"),
        "half": Column("int", "half of the prompts, 0 or 1, on which the clamp was chosen"),
        "target": Column("str", "neuron, or neurons joined by +, that was chosen"),
        **{name: _INTERVENTION[name] for name in ("operation", "value", "scope")},
        "n_choices": Column("int", "pairs of target and clamp among which it was chosen"),
        "chosen_net": Column("int", "n_rescued - n_harmed on the half that chose"),
        **{
            name: Column("int", f"{RATES.columns[name].doc}; on the other half")
            for name in (
                "n", "n_collapsed_baseline", "n_rescued", "n_fine_baseline", "n_harmed", "net",
            )
        },
        "mcnemar_p": Column("float", f"{RATES.columns['mcnemar_p'].doc}; on the other half"),
        "cluster_p": Column("float", f"{RATES.columns['cluster_p'].doc}; other halves together"),
    },
    key=("detector", "half"),
)  # fmt: skip
EXPLORED = Schema(
    "explored",
    {
        "run": Column("int", "number of the run in its browser tab, from 1"),
        "made": Column("str", "when, ISO 8601 in UTC"),
        "model": GENERATIONS.columns["model"],
        "prompt": Column("str", "the prompt"),
        "clamps": Column("str", "JSON: layer, neuron, operation and value of each clamp"),
        "scope": Column("str", "positions changed"),
        "decoding": Column("str", "JSON: how tokens were chosen"),
        "seed": _INTERVENTION["seed"],
        "role": Column("str", "baseline or clamped"),
        "token_ids": Column("tokens", _DECODED["token_ids"].doc),
        "text": _DECODED["text"],
        "stop_reason": Column("str", "eos, max_new_tokens, context, or stopped (by the user)"),
        "probabilities": Column(
            "vector", "probability of each token before temperature and cuts, in 0..1"
        ),
        **PUBLISHED_METRICS,
        **FURTHER_METRICS,
        **LIKELIHOOD_METRICS,
        "collapsed": Column("str", "collapse detectors that flag the text, joined by +"),
    },
    key=("run", "role"),
)
VERIFICATION = Schema(
    "verification",
    {
        "fact": Column("str", "what was published, such as improvement rate at +25"),
        "expected": Column("str", "the published figure"),
        "found": Column("str", "the sweep's figure; for NOT_TESTED why it has none"),
        "status": Column("str", "PASS, DIFFERS, NOT_TESTED, or SHOWN (not meant to be compared)"),
    },
    key=("fact", "expected"),
)


_SRM_GROUP = {
    "factor": Column("str", "what texts are grouped by: type, level, core, clamp; or all"),
    "group": Column("str", "value of the factor; texts without a clamp are baseline"),
}
SRM_GROUPS = Schema(
    "srm_groups",
    {
        **_SRM_GROUP,
        "n": Column("int", "number of texts with a vector"),
        "n_left_out": Column("int", "number of texts without one (blank)"),
        "n_clusters": Column("int", "cores (prompts, if fewer than 4 cores) that intervals redraw"),
        "r": Column("float", "length of the grey vector, 0..1; null if under 2 prompts", null=True),
        "r_low": Column("float", "95 % bootstrap interval of the mean at angle, lower", null=True),
        "r_high": Column("float", "95 % bootstrap interval of the mean at angle, upper", null=True),
        "angle": Column("float", "angle of the grey vector, degrees in 0..360", null=True),
        "stability": Column(
            "float", "mean cosine of the grey vectors of two random halves, in -1..1", null=True
        ),
        "mean_power": Column("float", "mean squared length of the projections, 0..1", null=True),
        "power_low": Column("float", "95 % bootstrap interval of mean_power, lower", null=True),
        "power_high": Column("float", "95 % bootstrap interval of mean_power, upper", null=True),
        "expected_power": Column("float", "2 / D, mean_power of a plane drawn at random"),
    },
    key=("factor", "group"),
)
SRM_CURVES = Schema(
    "srm_curves",
    {
        **_SRM_GROUP,
        "curve": Column("str", "mean, count (v.p >= threshold) or signed_count (minus v.p <= -it)"),
        "threshold": Column("float", "of the projection v.p, in 0..1; null for mean", null=True),
        "angle": Column("float", "angle of the probe p, degrees in 0..360"),
        "value": Column("float", "mean of v.p (-1..1), or number of texts"),
        "low": Column("float", "95 % bootstrap band at this angle, lower", null=True),
        "high": Column("float", "95 % bootstrap band at this angle, upper", null=True),
    },
    key=("factor", "group", "curve", "threshold", "angle"),
)
SRM_DIFFERENCES = Schema(
    "srm_differences",
    {
        "factor": _SRM_GROUP["factor"],
        "group_a": Column("str", "one group"),
        "group_b": Column("str", "the group whose mean curve is subtracted"),
        "n_a": Column("int", "number of texts of group_a compared"),
        "n_b": Column("int", "number of texts of group_b compared"),
        "distance": Column(
            "float", "largest difference of the mean curves; null if under 2 prompts", null=True
        ),
        "angle": Column("float", "angle at which it is reached, degrees in 0..360", null=True),
        "critical": Column("float", "95 % quantile of distance under permutation", null=True),
        "p": Column("float", "permutation p of distance", null=True),
        "least_p": Column("float", "the smallest p that so few prompts allow", null=True),
        "q": Column("float", "p after Benjamini-Hochberg over the factor's pairs", null=True),
    },
    key=("factor", "group_a", "group_b"),
)
VARIABILITY = Schema(
    "variability",
    {
        "detector": RATES.columns["detector"],
        "seed": Column("int", "seed of sampling"),
        "n": Column("int", "number of sampled texts, one per prompt"),
        "n_collapsed": Column("int", "of these, collapsed"),
        "collapse_rate": Column("float", "n_collapsed / n"),
        "collapse_low": Column("float", "Wilson 95 % interval, lower end"),
        "collapse_high": Column("float", "Wilson 95 % interval, upper end"),
        "n_collapsed_baseline": Column("int", "prompts whose greedy baseline is collapsed"),
        "n_rescued": Column("int", "of these, sampled texts not collapsed"),
        "n_fine_baseline": Column("int", "prompts whose greedy baseline is not collapsed"),
        "n_harmed": Column("int", "of these, sampled texts collapsed"),
        "net": Column("int", "n_rescued - n_harmed"),
    },
    key=("detector", "seed"),
)
_SHARE = {
    "k": Column("int", "texts of which it is true"),
    "n": Column("int", "texts looked at"),
    "share": Column("float", "k / n; null if n is 0", null=True),
    "low": Column("float", "Wilson 95 % interval, lower end", null=True),
    "high": Column("float", "Wilson 95 % interval, upper end", null=True),
}
DETECTOR_QUALITY = Schema(
    "detector_quality",
    {
        "detector": RATES.columns["detector"],
        "measure": Column(
            "str",
            "precision (broken among flagged), recall (flagged among broken), false_alarm (flagged "
            "among coherent), missed (broken among not flagged), recall_<label>",
        ),
        **_SHARE,
    },
    key=("detector", "measure"),
)
CALIBRATION = Schema(
    "calibration",
    {
        "score": Column("str", "text metric"),
        "bin": Column("int", "fifth of the texts by the score, from 0; equal scores share one"),
        "low_value": Column("float", "lowest value in the bin"),
        "high_value": Column("float", "highest value in the bin"),
        **_SHARE,
    },
    key=("score", "bin"),
)


def _arrow_schema(frame: pd.DataFrame, schema: Schema) -> pa.Schema:
    fields = [
        pa.field(name, _TYPES[column.type], column.null) for name, column in schema.columns.items()
    ]
    known = set(schema.columns)
    extra = [pa.field(name, pa.string()) for name in frame.columns if name not in known]
    return pa.schema(fields + extra)


def _check(frame: pd.DataFrame, schema: Schema, path: Path) -> None:
    missing = [name for name in schema.columns if name not in frame.columns]
    extra = [] if schema.open else [name for name in frame.columns if name not in schema.columns]
    if missing or extra:
        what = f"lacks column {missing[0]!r}" if missing else f"has an unknown column {extra[0]!r}"
        raise UserError(
            f"{path}: {what}, so it is no {schema.name!r} table of this version; "
            "delete it and run again"
        )
    for name, column in schema.columns.items():
        if not column.null and frame[name].isna().any():
            raise UserError(
                f"{path}: column {name!r} of the {schema.name!r} table has empty cells; "
                "delete it and run again"
            )
    if frame.duplicated(list(schema.key)).any():
        twice = frame.loc[frame.duplicated(list(schema.key)), list(schema.key)].iloc[0].tolist()
        raise UserError(
            f"{path}: {schema.name!r} table: {', '.join(schema.key)} = {twice} "
            "stands in more than one row"
        )


def place(path: Path) -> str | None:
    """Where in `results` a file is, such as `s/rates.parquet`; None if elsewhere or in scratch."""
    folders = path.parts[:-1]
    if "results" not in folders or ".scratch" in folders:
        return None
    return "/".join(path.parts[len(folders) - folders[::-1].index("results") :])


def check_place(path: Path, made_for: object) -> None:
    """Refuse a file that was copied from another place in `results`: its rows are of other texts.

    Args:
        path: Where it is.
        made_for: What `place` was when it was written, None if not known.

    Raises:
        UserError: It is not there.
    """
    if made_for is not None and place(path) not in (None, made_for):
        raise UserError(
            f"{path}: a copy of what belongs in results/{made_for}; delete it and run again"
        )


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, moved to `path` when the block ends well, removed otherwise.

    Raises:
        UserError: The operating system refused, for instance because the disk is full.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        with open(beside, "rb") as file:
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        raise explain_os_error(error, path, "write") from error
    finally:
        if beside.exists():
            beside.unlink()


def write_text(text: str, path: Path | str) -> None:
    """Write a text file in UTF-8, atomically.

    Raises:
        UserError: The operating system refused, for instance because the disk is full.
    """
    with atomic(Path(path)) as beside:
        beside.write_text(text, encoding="utf-8")


def write(
    frame: pd.DataFrame, path: Path | str, schema: Schema, provenance: Mapping[str, object]
) -> None:
    """Write a table as Parquet (zstd), with its provenance in the footer.

    Args:
        frame: The rows; columns as the schema says, in any order.
        path: Where; written atomically.
        schema: One of this module's.
        provenance: What made the table (`clampsweep.provenance.record`).

    Raises:
        UserError: The rows do not fit the schema, or the file could not be written.
    """
    path = Path(path)
    _check(frame, schema, path)
    arrow = _arrow_schema(frame, schema)
    try:
        table = pa.Table.from_pandas(frame[arrow.names], schema=arrow, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        reason = " ".join(str(part) for part in error.args)
        raise UserError(
            f"{path}: rows do not fit the {schema.name!r} table: {' '.join(reason.split())}"
        ) from error
    footer = {"schema": schema.name, "schema_version": SCHEMA_VERSION, **provenance}
    if at := place(path):
        footer["place"] = at
    table = table.replace_schema_metadata(
        {_FOOTER_KEY: json.dumps(footer, sort_keys=True).encode()}
    )
    with atomic(path) as beside:
        pq.write_table(table, beside, compression="zstd", write_page_checksum=True)


def read(path: Path | str, schema: Schema) -> pd.DataFrame:
    """Rows of a table, integers and booleans nullable where the schema allows null.

    Raises:
        UserError: The file is missing, truncated, or no such table.
    """
    path = Path(path)
    mapper = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}.get
    try:
        table = pq.read_table(path, page_checksum_verification=True)
        frame: pd.DataFrame = table.to_pandas(types_mapper=mapper)
        made_for = _footer(table.schema).get("place")
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; run the workflow to make it") from error
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UserError(f"{path}: not a whole Parquet file; delete it and run again") from error
    _check(frame, schema, path)
    check_place(path, made_for)
    for name, column in schema.columns.items():
        if not table.schema.field(name).type.equals(_TYPES[column.type]):
            raise UserError(
                f"{path}: column {name!r} has type {table.schema.field(name).type}, "
                f"expected {_TYPES[column.type]}; delete it and run again"
            )
        if not column.null and column.type == "int":
            frame[name] = frame[name].astype("int64")
        if not column.null and column.type == "bool":
            frame[name] = frame[name].astype("bool")
    return frame


def footer(path: Path | str) -> dict[str, object]:
    """Provenance of a table: what its Parquet footer carries.

    Raises:
        UserError: The file is missing or truncated.
    """
    try:
        return _footer(pq.read_schema(path))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UserError(f"{path}: not a whole Parquet file; delete it and run again") from error


def _footer(schema: pa.Schema) -> dict[str, object]:
    found: dict[str, object] = json.loads((schema.metadata or {}).get(_FOOTER_KEY, b"{}"))
    return found
