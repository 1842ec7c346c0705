# What the rules of universal are made on. No rules.
from clampsweep.studies.universal.domains import files_of as universal_files_of
from clampsweep.studies.universal.slices import judged as universal_judged

UNIVERSAL = CONFIG.of("universal")
UNIVERSAL_FEATURES = {name: one for name, one in UNIVERSAL.items() if one.features}
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
