"""What a model knows, held against what is planted in it and against greedy texts."""

from __future__ import annotations

import pytest
import torch

from clampsweep import tables
from clampsweep.studies.steering.ravel_data import Ravel, Template, templates_of
from clampsweep.studies.steering.ravel_known import RAVEL_KNOWN, find_known, knowing
from steering.ravel_planted import LETTERS, PROMPTS, VALUES


def test_all_that_is_planted_is_known_and_the_table_can_be_written(known, tmp_path):
    assert len(known) == len(LETTERS) * 4
    assert known["known"].all()
    for row in known.to_dict("records"):
        assert row["answer"] == row["said"] == VALUES[row["entity"]][row["attribute"]]
        assert row["lp_first"] == pytest.approx(row["lp_answer"])
        assert row["lp_first"] > row["lp_other"]
    assert knowing(known, "AB") == sorted(LETTERS)
    path = tmp_path / "known.parquet"
    tables.write(known, path, RAVEL_KNOWN, {})
    assert len(tables.read(path, RAVEL_KNOWN)) == len(known)


def test_a_wrong_value_is_not_known_and_its_entity_is_asked_no_further(planted, letters):
    wrong = {**letters.answers, "c": {"A": ("3",), "B": letters.answers["c"]["B"]}}
    wrong = letters._replace(answers=wrong)
    templates = {name: templates_of(letters, name, "train") for name in "AB"}
    every = find_known(planted, wrong, ["c", "d"], templates)
    staged = find_known(planted, wrong, ["c", "d"], templates, staged=True)
    of_c = every.table[every.table["entity"] == "c"]
    assert of_c.loc[of_c["attribute"] == "A", "known"].tolist() == [False, False]
    assert of_c.loc[of_c["attribute"] == "A", "lp_answer"].isna().all()
    assert of_c.loc[of_c["attribute"] == "B", "known"].all()
    assert set(staged.table.loc[staged.table["attribute"] == "B", "entity"]) == {"d"}
    assert knowing(every.table, "AB") == knowing(staged.table, "AB") == ["d"]
    assert staged.flops < every.flops
    assert len(PROMPTS["A"]) == 3  # that of split test is not asked


def _greedy(plain, ids, n):
    for _ in range(n):
        with torch.no_grad():
            ids = [*ids, int(plain(torch.tensor([ids])).logits[0, -1].argmax())]
    return ids


def test_an_answer_of_several_tokens_is_known_if_each_is_said(llama, hugging_face):
    plain, tokenizer, tried = hugging_face(llama), llama.tokenizer, 0
    for entity in "bcdfghjklmnpqrsuvwxz":
        template = Template("%s is(", "x", "train")
        ids = tokenizer(template.filled(entity)).input_ids
        own = _greedy(plain, ids, 3)[len(ids) :]
        answer = tokenizer.decode(own)
        if tokenizer(template.filled(entity) + answer).input_ids != [*ids, *own]:
            continue  # as where a special token is said
        other = answer[:-1] + ("a" if answer[-1] != "a" else "b")
        for text, right in ((answer, True), (other, False)):
            ravel = Ravel("k", {entity: {"x": (text,)}}, {entity: "train"}, (template,), ())
            (row,) = find_known(llama, ravel, [entity], {"x": [template]}).table.to_dict("records")
            whole = tokenizer(template.filled(entity) + text).input_ids
            if whole[: len(ids) + 1] != [*ids, own[0]]:
                continue
            with torch.no_grad():
                lp = plain(torch.tensor([whole])).logits[0].log_softmax(-1)
            wanted = sum(float(lp[at - 1, whole[at]]) for at in range(len(ids), len(whole)))
            assert row["known"] is right
            assert row["lp_answer"] == pytest.approx(wanted, abs=1e-9)
            tried += 1
    assert tried > 6


def test_the_cost_is_two_operations_a_weight_and_token(planted, letters):
    template = templates_of(letters, "A", "train")[1]  # (%s)#
    found = find_known(planted, letters, ["c"], {"A": [template]})
    blocks = sum(one.numel() for one in planted.plain.model.layers.parameters())
    head = planted.plain.lm_head.weight.numel()
    # Of the prompt's 4 tokens one is unembedded; then it is read again for the answer.
    assert found.flops == pytest.approx(2 * (8 * blocks + 2 * head))
