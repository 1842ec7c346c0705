"""Jobs that run a model on texts: batches of generation, statistics of neurons."""
