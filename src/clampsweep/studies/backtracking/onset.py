"""What is tried on held-out events: sets of neurons, samples, and the onset lexicon's tokens."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
import torch
from jaxtyping import Float, Int
from torch import Tensor

from clampsweep.models.tokens import decode
from clampsweep.names import Neuron
from clampsweep.studies.backtracking.places import whole_ids
from clampsweep.studies.backtracking.tables import MEAN, RAISE, ZERO

_MEASURES = ("lp_onset", "lp_actual", "kl_next", "kl_rest")
_ROWS = 16  # measured at once, in float64: few enough to stay in a cache


def lexicon_ids(tokenizer: Any, words: Sequence[str]) -> list[int]:
    """First tokens of the words with which backtracking begins, behind nothing, a space, a line.

    A token of spaces alone is passed over: anything may follow it.

    Args:
        tokenizer: Hugging Face's.
        words: The lexicon.
    """

    def first(text: str) -> int:
        ids: list[int] = tokenizer(text, add_special_tokens=False).input_ids
        return next(one for one in ids if decode(tokenizer, [one]).strip())

    return sorted({first(lead + word.strip()) for word in words for lead in ("", " ", "\n")})


class Set(NamedTuple):
    """A set of neurons, and their means at events and controls."""

    kind: str
    k: int
    draw: int
    neurons: list[Neuron]
    mean1: list[float]
    mean0: list[float]

    def held_at(self, intervention: str, donor: Mapping[Neuron, float]) -> list[float]:
        """What its neurons are held at, in activation units.

        Args:
            intervention: zero, mean, resample or raise.
            donor: For resample, values at another place.
        """
        if intervention == ZERO:
            return [0.0] * self.k
        if intervention == MEAN:
            return self.mean0
        return self.mean1 if intervention == RAISE else [donor[one] for one in self.neurons]


def read_sets(table: pd.DataFrame) -> list[Set]:
    """Sets of a `SETS` table, in its order."""
    found: dict[tuple[str, int, int], Set] = {}
    for row in table.to_dict("records"):
        key = str(row["set_kind"]), int(row["k"]), int(row["draw"])
        one = found.setdefault(key, Set(*key, [], [], []))
        one.neurons.append(Neuron(int(row["layer"]), int(row["neuron"])))
        one.mean1.append(float(row["mean1"]))
        one.mean0.append(float(row["mean0"]))
    return list(found.values())


class Sample(NamedTuple):
    """A held-out sample that is tried.

    Attributes:
        sample_id: Its name.
        match_id: The event that it is, or is matched with.
        problem_id: The problem of the event.
        y: 1 of an event.
        ids: Token ids up to the one before the onset.
        more: Those behind it, of the whole trace.
        n_prompt: How many of `ids` are the prompt's.
        donor: Token ids up to the place whose values are taken in resampling: that of a control.
    """

    sample_id: str
    match_id: str
    problem_id: str
    y: int
    ids: list[int]
    more: list[int]
    n_prompt: int
    donor: list[int]

    @property
    def actual(self) -> int:
        """Token id of the onset."""
        return self.more[0]

    def names(self) -> dict[str, Any]:
        """What its rows of `TRIALS` begin with."""
        return {name: getattr(self, name) for name in ("sample_id", "match_id", "problem_id", "y")}


def chosen(samples: pd.DataFrame, traces: pd.DataFrame, split: str, most: int) -> list[Sample]:
    """Events of a split, at most so many, evenly taken, and one matched control of each.

    A control of another trace is preferred. An event's donor is its control, a control's the
    next event's control.

    Args:
        samples: `SAMPLES` of a contrast, events and matched controls.
        traces: `TRACES`.
        split: The split.
        most: Most events.
    """
    own = samples[samples["split"] == split]
    pairs = []
    for _, group in own.groupby("match_id", sort=False):
        events = group[group["y"] == 1].to_dict("records")
        controls = group[group["y"] == 0].sort_values("control_kind").to_dict("records")
        if events and controls:
            pairs.append((events[0], controls[0]))
    step = max(1.0, len(pairs) / most)
    pairs = [pairs[int(at * step)] for at in range(min(most, len(pairs)))]
    texts = whole_ids(traces)
    prompts = dict(zip(traces["trace_id"], traces["prompt_ids"].map(len), strict=True))
    found = []
    for number, (event, control) in enumerate(pairs):
        following = pairs[(number + 1) % len(pairs)][1]
        for sample, donor in ((event, control), (control, following)):
            n_prompt = int(prompts[sample["trace_id"]])
            found.append(_sample(sample, event, donor, texts, n_prompt))
    return found


def _sample(
    sample: Mapping[Any, Any],
    event: Mapping[Any, Any],
    donor: Mapping[Any, Any],
    texts: Mapping[str, list[int]],
    n_prompt: int,
) -> Sample:
    ids, onset = texts[sample["trace_id"]], int(sample["onset"])
    return Sample(
        str(sample["sample_id"]),
        str(event["match_id"]),
        str(event["problem_id"]),
        int(sample["y"]),
        ids[:onset],
        ids[onset:],
        n_prompt,
        texts[donor["trace_id"]][: int(donor["onset"])],
    )


def measures(
    logits: Float[Tensor, "row d_vocab"], actual: int, lexicon: Sequence[int]
) -> pd.DataFrame:
    """What is read off the next token's logits, nats: lp_onset, lp_actual, kl_next, kl_rest.

    Args:
        logits: Of the unchanged model, and then of changed ones.
        actual: Token that was said.
        lexicon: Token ids of the onset.
    """
    device = logits.device
    base = torch.log_softmax(logits[:1].double(), dim=-1)
    said = torch.tensor([actual], device=device).expand(len(logits))
    found = measured(logits, base, said, torch.tensor(list(lexicon), device=device))
    return pd.DataFrame(dict(zip(_MEASURES, found.cpu().numpy(), strict=True)))


def measured(
    logits: Float[Tensor, "row d_vocab"],
    base: Float[Tensor, "some d_vocab"],
    said: Int[Tensor, " row"],
    inside: Int[Tensor, " token"],
) -> Float[Tensor, "measure row"]:
    """The same by row, each row with a token of its own; rounding of a KL below 0 is 0.

    Args:
        logits: Of changed models.
        base: Log-probabilities of the unchanged one: of each row, or one for all.
        said: Token that was said.
        inside: Token ids of the onset.
    """
    bases = torch.split(base, _ROWS) if len(base) > 1 else itertools.repeat(base)
    parts = []
    rows = zip(torch.split(logits, _ROWS), bases, torch.split(said, _ROWS), strict=False)
    for some, before, tokens in rows:
        logp = torch.log_softmax(some.double(), dim=-1)
        onset = torch.logsumexp(logp[:, inside], dim=-1)
        gone = before.exp() * (before - logp)  # sums to the KL
        # Of what begins no event, as shares of all that does not.
        others = (one.index_fill(-1, inside, -torch.inf) for one in (before, logp))
        kept, now = (one.logsumexp(-1) for one in others)
        rest = (gone.sum(-1) - gone[:, inside].sum(-1)) / kept.exp() - kept + now
        own, kls = logp.gather(1, tokens[:, None])[:, 0], torch.stack([gone.sum(-1), rest])
        parts.append(torch.stack([onset, own, *kls.clamp(min=0)]))
    return torch.cat(parts, dim=1)
