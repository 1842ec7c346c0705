"""Whether the answer was right before the model went back: thinking is ended at each event.

After what was said up to the event comes the end of thinking and the beginning of an answer; the
model goes on greedily, and its answer is compared with the right one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from clampsweep.decoder.decode import decode
from clampsweep.decoder.interventions import Scope
from clampsweep.models.model import Model
from clampsweep.studies.backtracking import answers
from clampsweep.studies.backtracking.entry import WRITTEN
from clampsweep.studies.backtracking.equivalence import compare
from clampsweep.studies.backtracking.found_events import COUNTED, REGEX
from clampsweep.studies.backtracking.tables import EXITS
from clampsweep.studies.backtracking.traces import CLOSE
from clampsweep.texts.request import Decoding

TOKENS = 24  # of an answer
_ENDING = "\n\nThe final answer is \\boxed{"


def own_events(events: pd.DataFrame, traces: pd.DataFrame) -> pd.DataFrame:
    """Events of the model's own and given traces, where the right answer is known."""
    known = traces[(traces["source"] != WRITTEN) & traces["gold"].notna()]
    seen = (events["label_source"] == REGEX) & events["class"].isin(COUNTED)
    found: pd.DataFrame = events[seen & events["trace_id"].isin(known["trace_id"])]
    return found


def exits(loaded: Callable[[], Model], traces: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """The table `EXITS`, of events of the model's own and given traces.

    Args:
        loaded: Loads the model; not called where there is no event.
        traces: `TRACES`.
        events: Events to end thinking at.
    """
    if not len(events):
        return _typed([])
    model = loaded()
    by_name = {row["trace_id"]: row for row in traces.to_dict("records")}
    own = events.to_dict("records")
    prompts = [_prompt(model, by_name[event["trace_id"]], event) for event in own]
    none: Sequence[Any] = ()
    said = decode(model, prompts, [none] * len(prompts), Scope("all"), Decoding("greedy", TOKENS))
    texts = [model.decode(one.token_ids, prompt) for one, prompt in zip(said, prompts, strict=True)]
    found = [_answer(text) for text in texts]
    gold = [by_name[event["trace_id"]]["gold"] for event in own]
    judged = compare(list(zip(found, gold, strict=True)))
    rows = [
        {
            "event_id": event["event_id"],
            "source": by_name[event["trace_id"]]["source"],
            "problem_id": by_name[event["trace_id"]]["problem_id"],
            "answer": answer,
            "correct": one.correct,
            "final_correct": by_name[event["trace_id"]]["correct"],
            "text": text,
        }
        for event, answer, one, text in zip(own, found, judged, texts, strict=True)
    ]
    return _typed(rows)


def _typed(rows: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(EXITS.columns))
    return frame.astype({"correct": "boolean", "final_correct": "boolean"})


def _prompt(model: Model, trace: Mapping[Any, Any], event: Mapping[Any, Any]) -> list[int]:
    """Tokens up to the event's sentence, the end of thinking, the beginning of an answer."""
    said = [*map(int, trace["prompt_ids"]), *map(int, trace["output_ids"])]
    before = said[: len(trace["prompt_ids"]) + int(event["tok_sentence"])]
    ending = (CLOSE if event["in_think"] else "") + _ENDING
    more = model.tokenizer(ending, add_special_tokens=False).input_ids
    room = model.n_ctx - TOKENS - len(more)
    return [*before[max(0, len(before) - room) :], *more]


def _answer(text: str) -> str | None:
    """What stands in the box that was begun, however the text goes on; None if it is not closed."""
    ends = [at for at, char in enumerate(text, 1) if char == "}"]
    found = (answers.boxed("\\boxed{" + text[:end]).answer for end in ends)
    return next((answer for answer in found if answer is not None), None)
