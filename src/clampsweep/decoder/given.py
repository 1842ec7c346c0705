"""What `decode` is given, looked at once before anything is computed.

A mistake here would otherwise end deep in torch, or in a text that nobody asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from clampsweep.decoder.interventions import Edit, Scope
from clampsweep.decoder.rows import DecodeJob
from clampsweep.decoder.steering import Steer
from clampsweep.errors import shown, whole
from clampsweep.models.hugging_face import n_rows
from clampsweep.models.model import Model
from clampsweep.models.tokens import check_sequences
from clampsweep.texts.request import Decoding


def checked(model: Model, job: DecodeJob) -> DecodeJob:
    """The job, its prompts as lists of Python's own numbers.

    Args:
        model: Loaded model.
        job: What is asked for.

    Raises:
        TypeError: Something is of another kind than it should be.
        ValueError: Something does not fit the model, or the rest of the job.
    """
    kinds: tuple[tuple[str, object, type, str], ...] = (
        ("model", model, Model, "write models.loading.load(folder, spec, threads)"),
        ("scope", job.scope, Scope, "write Scope('all')"),
        ("decoding", job.decoding, Decoding, "write Decoding('greedy', 50)"),
    )
    for what, given, kind, remedy in kinds:
        if not isinstance(given, kind):
            raise TypeError(f"{what}: got {shown(given)}; {remedy}")
    prompts = check_sequences("prompts", job.prompts, n_rows(model.plain), model.n_ctx)
    _check_rows("edits", job.edits, len(prompts), lambda row: _check_edits(model, row))
    _check_streams(job, len(prompts))
    for layer in job.capture_layers:
        whole("capture_layers", layer, 0, model.n_layers - 1)
    return replace(job, prompts=prompts)


def _check_rows(what: str, rows: Any, n: int, check: Callable[[Any], None]) -> None:
    """Check what each prompt's row has, saying which row is wrong."""
    if not isinstance(rows, Sequence) or isinstance(rows, str):
        raise TypeError(f"{what}: got {shown(rows)}; write a list with an item for each prompt")
    if len(rows) != n:
        raise ValueError(f"{what}: got {len(rows)} for {n} prompts; write one for each")
    for number, row in enumerate(rows):
        try:
            check(row)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{what}[{number}]: {error}") from None


def _check_edits(model: Model, row: Any) -> None:
    """Refuse changes of a row that do not fit the model, or change a neuron twice."""
    if not isinstance(row, Sequence) or isinstance(row, str):
        raise TypeError(f"got {shown(row)}; write a list of changes, [] for a baseline")
    for change in row:
        _check_change(model, change)
    if len(row) > 1:  # several values of one neuron would overwrite each other
        neurons = [change.neuron.bare for change in row if isinstance(change, Edit)]
        times = Counter(neurons)
        if twice := [neuron for neuron in times if times[neuron] > 1]:
            raise ValueError(f"changes {twice[0]} twice; write one change of it")


def _check_change(model: Model, change: Any) -> None:
    if isinstance(change, Edit):
        model.check_neuron(change.neuron)
    elif isinstance(change, Steer):
        whole("layer to steer after", change.layer, 0, model.n_layers - 1)
        if len(change.vector) != model.d_model:
            raise ValueError(
                f"a direction of {len(change.vector)} numbers; the model's residual stream has "
                f"{model.d_model}"
            )
    else:
        raise TypeError(f"got {shown(change)}; write edit(neuron, operation, value), or a Steer")


def _check_streams(job: DecodeJob, n: int) -> None:
    """Refuse sampling without streams, and streams without sampling."""
    if job.streams is None:
        if job.decoding.method == "sample":
            raise ValueError(
                "streams: None, but sampling draws by them; write a tuple of whole numbers for "
                "each prompt, such as streams=[(0,)]"
            )
        return
    if job.decoding.method != "sample":
        raise ValueError(
            f"streams: given, but method {job.decoding.method!r} draws nothing; leave them out, or "
            "write method 'sample'"
        )
    _check_rows("streams", job.streams, n, _check_stream)


def _check_stream(stream: Any) -> None:
    if not isinstance(stream, Sequence) or isinstance(stream, str):
        raise TypeError(f"got {shown(stream)}; write a tuple of whole numbers, such as (0,)")
    for number in stream:
        whole("number", number, 0)
