"""What a model's agreement with others says: are neurons shared, and what are those that are?"""

from __future__ import annotations

from clampsweep.studies.universal.agreed import Agreed
from clampsweep.studies.universal.claims.conclusions import Concluded
from clampsweep.studies.universal.claims.differences import base_rates, differences
from clampsweep.studies.universal.claims.persisting import ablation, persistence
from clampsweep.studies.universal.claims.sharing import shared


def claims(given: Agreed) -> Concluded:
    """The slice's claims with their controls.

    Args:
        given: Its tables.
    """
    found = [*shared(given), *differences(given), *base_rates(given.rates)]
    return [*found, *persistence(given.persistence), *ablation(given.ablation)]
