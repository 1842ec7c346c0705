# Universal neurons, for entries of the section `universal`: texts, then a block of rules for each
# slice (docs/universal.md), then what joins them.
from clampsweep.studies.universal.slices import judged as universal_judged

UNIVERSAL = CONFIG.of("universal")
UNIVERSAL_FEATURES = {name: one for name, one in UNIVERSAL.items() if one.features}
UNIVERSAL_ROLES = {name: one for name, one in UNIVERSAL.items() if one.roles}
UNIVERSAL_AGREEMENT = {name: one for name, one in UNIVERSAL.items() if one.agreement}
