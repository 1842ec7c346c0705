"""An entry of the section `universal`, as `config.parse` makes it."""

from __future__ import annotations

from dataclasses import dataclass

from clampsweep.models.spec import ModelSpec


@dataclass(frozen=True)
class Domain:
    """A kind of text.

    Attributes:
        name: What it is called, such as `code`.
        file: A file of documents, a folder of text files, or a pattern such as `notes/*.txt`.
        source: Where the texts come from.
        licence: Of the texts.
        language: What they are written in, such as `en` or `python`.
    """

    name: str
    file: str
    source: str
    licence: str
    language: str


@dataclass(frozen=True)
class Texts:
    """The token sequences that everything is measured on.

    Attributes:
        domains: Kinds of text, as many tokens of each.
        sequences: Number of sequences of each domain.
        context: Tokens of a sequence.
        skip: First positions of a sequence that do not count.
        blocks: Blocks of documents of each domain: what is drawn in bootstraps.
    """

    domains: tuple[Domain, ...]
    sequences: int
    context: int
    skip: int
    blocks: int


@dataclass(frozen=True)
class Features:
    """How neurons that respond to features of tokens are looked for.

    Attributes:
        minimum: Positives that a feature needs in each half.
        shifts: Circular shifts of the labels against which a chosen neuron is held.
        null_shifts: Shifts for which every neuron is looked at.
        planted: Planted features that must be found.
    """

    minimum: int
    shifts: int
    null_shifts: int
    planted: int


@dataclass(frozen=True)
class Roles:
    """How roles of neurons are tried by interventions.

    Attributes:
        domain: Domain whose texts are used.
        candidates: Most neurons of a role.
        controls: Matched neurons of a role.
        stride: Every so many positions of a sequence are measured where a role needs the logits.
        values: Values at which entropy neurons are held, activation units.
    """

    domain: str
    candidates: int
    controls: int
    stride: int
    values: tuple[float, ...]


@dataclass(frozen=True)
class Agreement:
    """How neurons are compared with those of other models.

    Attributes:
        others: The other models.
        cut: Excess correlation above which a neuron is universal.
        neurons: Neurons that are looked at where the other model has another tokenizer, or the
            models are large; None for all.
        shifts: Circular shifts of the text against which a correlation is held.
        checkpoints: Earlier states of the model's training.
        ablation: Sequences on which universal neurons are ablated; None for no ablation.
    """

    others: tuple[ModelSpec, ...]
    cut: float
    neurons: int | None
    shifts: int
    checkpoints: tuple[ModelSpec, ...]
    ablation: int | None


@dataclass(frozen=True)
class UniversalEntry:
    """Which model's neurons are measured, on what, and what of them is asked."""

    name: str
    model: ModelSpec
    texts: Texts
    pairs: tuple[tuple[str, str], ...]
    reference: str | None
    features: Features | None
    roles: Roles | None
    agreement: Agreement | None
    seed: int

    @property
    def title(self) -> str:
        """What the entry is, in a line, for figures and reports."""
        tokens = self.texts.sequences * self.texts.context
        return f"{self.model.name}, {len(self.texts.domains)} domains of {tokens:,} tokens"

    @property
    def prose(self) -> str:
        """The domain that is the known one: the first."""
        return self.texts.domains[0].name
