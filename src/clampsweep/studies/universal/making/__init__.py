"""Making small language models that differ in nothing but the seed."""
