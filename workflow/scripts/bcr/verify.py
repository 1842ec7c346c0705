"""Compare a sweep with published figures."""

import logging

from clampsweep.errors import reported

with reported(snakemake.log[0]):
    from clampsweep import files, provenance, tables
    from clampsweep.studies.bcr import verification_report, verify
    from clampsweep.studies.bcr.rates import RATES
    from clampsweep.studies.bcr.recovery import RECOVERY
    from clampsweep.studies.bcr.verify import VERIFICATION

    params, output, source = snakemake.params, snakemake.output, snakemake.input.reference
    reference = verify.read_reference(source)
    recovery = tables.read(snakemake.input.recovery, RECOVERY)
    rates = tables.read(snakemake.input.rates, RATES)
    found = verify.verify(recovery, rates, reference)
    facts = provenance.record(code=params.code, reference=provenance.file_digest(source))
    tables.write(found, output.table, VERIFICATION, facts)
    files.write_text(verification_report.document(found, reference, params.title), output.report)
    for line in verify.lines(found):
        logging.info(line)
