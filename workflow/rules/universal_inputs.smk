# What the rules of universal are made on. No rules.
from clampsweep.studies.universal.slices import judged as universal_judged

UNIVERSAL = CONFIG.of("universal")
UNIVERSAL_FEATURES = {name: one for name, one in UNIVERSAL.items() if one.features}
UNIVERSAL_ROLES = {name: one for name, one in UNIVERSAL.items() if one.roles}
UNIVERSAL_AGREEMENT = {name: one for name, one in UNIVERSAL.items() if one.agreement}


def universal_parts(wildcards, file):
    """A file of each slice that concludes something."""
    folder = f"results/{wildcards.entry}"
    return [
        f"{folder}/{part}/{file}"
        for part in universal_judged(UNIVERSAL[wildcards.entry])
    ]
