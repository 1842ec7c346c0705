"""Cut the texts of an entry's domains into the token sequences that everything is measured on."""

from pathlib import Path

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import provenance, tables
    from clampsweep.models.hugging_face import load_tokenizer
    from clampsweep.studies.universal.domains import documents
    from clampsweep.studies.universal.tokens import TOKENS, Cut, tokens

    params = snakemake.params
    tokenizer = load_tokenizer(Path(snakemake.input.model).parent, "model")
    domains = {name: documents(name, files) for name, files in params.files.items()}
    found = tokens(domains, tokenizer, Cut(**params.cut))
    tables.write(found, snakemake.output.tokens, TOKENS, provenance.record(code=params.code))
