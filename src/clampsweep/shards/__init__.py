"""Work that is not texts (activations, moments, losses), cut into shards that are made once."""
