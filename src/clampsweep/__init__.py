"""clampsweep: reproducible experiments on the neurons of language models."""
