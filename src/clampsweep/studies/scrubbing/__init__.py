"""Causal scrubbing: which paths do the induction heads of an attention-only model need?"""
