"""What is kept of the roles of neurons."""

KEPT = {
    "un_roles.parquet": "candidates of each role, best first; `sweeps` takes neurons from it",
    "un_role_controls.parquet": "neurons that candidates are held against",
    "un_attention_scores.parquet": "how strongly each neuron moves scores of attention to BOS",
    **{
        f"parts/interventions_{role}.parquet": f"what holding neurons changed, role {role}"
        for role in ("prediction", "suppression", "entropy", "attention")
    },
    "un_interventions.parquet": "the same of all roles",
    "roles/verdicts.parquet": "what of it is concluded",
    "roles/ledger.parquet": "the controls of that",
    "roles/section.md": "the part of the summary",
}

FIGURES = {
    "role_effects": "what candidates of each role do beside their controls",
    "entropy_curves": "entropy neurons held at values: norm's scale, entropy, rank, loss",
}
