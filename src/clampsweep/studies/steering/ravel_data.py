"""RAVEL: entities, values of their attributes, and prompts that ask for these, each with a split.

What is odd in the files, and what is made of it: `workflow/data/steering/ravel/README.md`. Source:
Huang et al. 2024, arXiv 2402.17700, section 3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from clampsweep.errors import UserError
from clampsweep.studies.steering.ravel_files import check_attributes, check_splits, read_object

TRAIN, VAL, TEST = SPLITS = ("train", "val", "test")
SLOT = "%s"  # where the entity stands in a prompt

UNASKABLE = {
    "Latitude": "values are rounded otherwise than in the prompts, and there without their sign",
    "Longitude": "values are rounded otherwise than in the prompts, and there without their sign",
    "Definition": "a definition has many wordings",
    "Pronunciation": "values are written in other signs than in the prompts",
}
_SEVERAL = {"Language": ",", "Pronunciation": ","}  # what parts the values of one cell
_OTHER_FORM = ("UTC",)  # in prompts that go on in another form than the values
_SPACED = re.compile(r"[\w:,;.]\Z")  # ends of prompts behind which a word begins with a space
_WRONG_CODE = re.compile("[√¬]")  # first bytes of UTF-8, read as Mac Roman


class Template(NamedTuple):
    """A prompt with a slot for an entity.

    Attributes:
        text: With `SLOT` in it, once.
        attribute: What it asks for; empty if for nothing.
        split: train, val or test.
        entity: The one that it is for; empty if for any.
    """

    text: str
    attribute: str
    split: str
    entity: str = ""

    def filled(self, entity: str) -> str:
        """The prompt of an entity."""
        return self.text.replace(SLOT, entity)

    def until(self, entity: str) -> str:
        """The prompt as far as the entity's last letter."""
        return self.text[: self.text.index(SLOT)] + entity


class Ravel(NamedTuple):
    """What RAVEL holds of one kind of entity.

    Attributes:
        kind: city or verb.
        answers: By entity and attribute, its right answers; one at least.
        splits: Of each entity.
        templates: Prompts that ask for an attribute.
        neutral: Prompts that ask for nothing; none where there is no file of them.
    """

    kind: str
    answers: Mapping[str, Mapping[str, tuple[str, ...]]]
    splits: Mapping[str, str]
    templates: tuple[Template, ...]
    neutral: tuple[Template, ...]

    @property
    def askable(self) -> tuple[str, ...]:
        """Attributes whose right answers can be told."""
        known = next(iter(self.answers.values()))
        return tuple(name for name in known if name not in UNASKABLE)


class Item(NamedTuple):
    """An entity in a prompt.

    Attributes:
        entity: The entity.
        split: Of the entity.
        template: The prompt.
        answers: Texts that are right behind the prompt, as they would stand there; none if it asks
            for nothing.
    """

    entity: str
    split: str
    template: Template
    answers: tuple[str, ...]

    @property
    def attribute(self) -> str:
        """What it asks for."""
        return self.template.attribute

    @property
    def key(self) -> tuple[str, str]:
        """What names it: its entity and the text of its template."""
        return self.entity, self.template.text


def read_ravel(folder: Path | str, kind: str) -> Ravel:
    """Entities, answers, prompts and splits of one kind of entity.

    Args:
        folder: Holds RAVEL's files, as they are or compressed (`.json.gz`).
        kind: Such as city or verb.

    Raises:
        UserError: A file is missing or damaged, or does not fit the others.
    """
    folder = Path(folder)
    values = read_object(folder, f"ravel_{kind}_entity_attributes.json")
    path = check_attributes(folder, kind, values)
    splits = check_splits(folder, f"ravel_{kind}_entity_to_split.json", values, SPLITS)
    prompts = read_object(folder, f"ravel_{kind}_attribute_to_prompts.json")
    attribute_of: dict[str, str] = {}
    for attribute, texts in prompts.items():
        if attribute not in next(iter(values.values())) or not isinstance(texts, list):
            raise UserError(f"{path}: got attribute {attribute!r}; get the file again")
        for text in texts:
            if not isinstance(text, str) or text.count(SLOT) != 1 or text in attribute_of:
                raise UserError(
                    f"{path}: {attribute}: got prompt {text!r}; a prompt has one {SLOT} and stands "
                    "once, get the file again"
                )
            attribute_of[text] = attribute
    split_of = check_splits(folder, f"ravel_{kind}_prompt_to_split.json", attribute_of, SPLITS)
    templates = tuple(Template(text, name, split_of[text]) for text, name in attribute_of.items())
    answers = {
        entity: {name: _answers(name, value) for name, value in own.items()}
        for entity, own in values.items()
    }
    return Ravel(kind, answers, splits, templates, tuple(_neutral(folder, kind, splits)))


def _neutral(folder: Path, kind: str, splits: Mapping[str, str]) -> Iterator[Template]:
    """Prompts that ask for nothing, if there is a file of them."""
    name = f"wikipedia_{kind}_entity_prompts.json"
    if not (folder / name).exists() and not (folder / f"{name}.gz").exists():
        return
    for text, about in read_object(folder, name).items():
        entity = about.get("entity", "") if isinstance(about, dict) else ""
        known = entity is None or entity in splits
        if text.count(SLOT) != 1 or not known or about.get("split") not in SPLITS:
            raise UserError(
                f"{folder / name}: got {text[:60]!r}: {about!r}; a prompt has one {SLOT}, a split "
                f"({', '.join(SPLITS)}) and a known entity or null, get the file again"
            )
        # Many stand in another split than their entity: what is held out are entities.
        yield Template(text, "", about["split"] if entity is None else splits[entity], entity or "")


def mended(text: str) -> str:
    """A text that was saved as UTF-8 and read as Mac Roman, as it was; others as they are."""
    if not _WRONG_CODE.search(text):
        return text
    try:
        once = text.encode("mac_roman").decode("utf-8")
    except UnicodeError:
        return text
    # Bytes that Latin-1 has no letter for were meant as Windows-1252.
    return re.sub("[\x80-\x9f]", lambda one: one[0].encode("latin-1").decode("cp1252"), once)


def _answers(attribute: str, value: str) -> tuple[str, ...]:
    """The right answers that a cell holds."""
    parts = value.split(_SEVERAL[attribute]) if attribute in _SEVERAL else [value]
    found = dict.fromkeys(mended(part).strip().strip("/") for part in parts)
    return tuple(part for part in found if part)


def draw_entities(ravel: Ravel, split: str, n: int, seed: int) -> list[str]:
    """Entities of a split, at most so many, drawn by lot; fewer of the same seed are the first.

    Args:
        ravel: Of one kind.
        split: train, val or test.
        n: Most entities.
        seed: Of the draw.
    """
    own = sorted(entity for entity, at in ravel.splits.items() if at == split)
    order = np.random.default_rng([seed, SPLITS.index(split)]).permutation(len(own))
    return [own[at] for at in order[:n]]


def templates_of(ravel: Ravel, attribute: str, split: str) -> list[Template]:
    """Prompts of a split that ask for an attribute and go on in the form of its values.

    Args:
        ravel: Of one kind.
        attribute: The attribute.
        split: Of the prompts.

    Raises:
        UserError: Nothing asks for it so that a right answer could be told.
    """
    if attribute not in ravel.askable:
        why = UNASKABLE.get(attribute, f"no attribute of {ravel.kind}")
        allowed = ", ".join(ravel.askable)
        raise UserError(f"attribute: got {attribute!r}: {why}; allowed: {allowed}")
    own = (one for one in ravel.templates if (one.attribute, one.split) == (attribute, split))
    return [one for one in own if not any(form in one.text for form in _OTHER_FORM)]


def items(ravel: Ravel, entities: Sequence[str], templates: Sequence[Template]) -> list[Item]:
    """Every entity in every prompt, template by template, but where an answer stands in it.

    Args:
        ravel: Of one kind.
        entities: Names of entities.
        templates: Prompts.
    """
    found = []
    for template in templates:
        for entity in entities:
            answers = ravel.answers[entity].get(template.attribute, ())
            prompt = template.filled(entity)
            lead = " " if _SPACED.search(prompt) else ""
            if not any(_stands_in(answer, prompt) for answer in answers):
                spaced = tuple(lead + answer for answer in answers)
                found.append(Item(entity, ravel.splits[entity], template, spaced))
    return found


def _stands_in(answer: str, prompt: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", prompt, re.IGNORECASE) is not None
