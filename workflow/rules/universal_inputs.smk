# What the rules of universal are made on. No rules.
from clampsweep.studies.universal.domains import files_of as universal_files_of
from clampsweep.studies.universal.slices import judged as universal_judged

UNIVERSAL = CONFIG.of("universal")
UNIVERSAL_FEATURES = {name: one for name, one in UNIVERSAL.items() if one.features}
UNIVERSAL_REFERENCE = {name: one for name, one in UNIVERSAL.items() if one.reference}
UNIVERSAL_ROLES = {name: one for name, one in UNIVERSAL.items() if one.roles}
UNIVERSAL_TRIED = ("prediction", "suppression", "entropy", "attention")  # roles
UNIVERSAL_AGREEMENT = {name: one for name, one in UNIVERSAL.items() if one.agreement}


def universal_parts(wildcards, file):
    """A file of each slice that concludes something."""
    folder = f"results/{wildcards.entry}"
    return [
        f"{folder}/{part}/{file}"
        for part in universal_judged(UNIVERSAL[wildcards.entry])
    ]


def universal_files(wildcards):
    """The files of each domain of an entry, by its name."""
    domains = UNIVERSAL[wildcards.entry].texts.domains
    return {
        one.name: [str(file) for file in or_stop(universal_files_of, one.file)]
        for one in domains
    }


def universal_cut(entry):
    """How the labels of an entry's features are made."""
    return {
        "languages": {one.name: one.language for one in entry.texts.domains},
        "skip": entry.texts.skip,
        "minimum": entry.features.minimum,
    }


# Models that others are held against: other seeds, and earlier states of a training.
UNIVERSAL_OTHERS = {
    spec.name: spec
    for entry in UNIVERSAL_AGREEMENT.values()
    for spec in (*entry.agreement.others, *entry.agreement.checkpoints)
}


def universal_pairs(part, file):
    """A function from an entry to a file for each of its other models, or of its checkpoints."""

    def files(wildcards):
        asked = UNIVERSAL[wildcards.entry].agreement
        return [
            f"results/{wildcards.entry}/parts/{file}_{spec.name}.parquet"
            for spec in (getattr(asked, part) if asked else ())
        ]

    return files


def universal_threshold(wildcards):
    """Excess correlation above which a neuron is universal; the paper's where none is asked for."""
    asked = UNIVERSAL[wildcards.entry].agreement
    return asked.cut if asked else 0.5


def universal_ablated(wildcards):
    """The table of ablations of an entry that asks for them."""
    asked = UNIVERSAL[wildcards.entry].agreement
    return (
        [f"results/{wildcards.entry}/parts/ablation.parquet"]
        if asked and asked.ablation
        else []
    )
