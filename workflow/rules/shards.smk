# Work that is not texts (activations, moments, losses), for all studies. A `Work` is one table,
# results/<work>.parquet. Its items are cut into shards, results/shards/<rule>/<shard>.parquet; the
# rule that makes a shard is the study's (docs/adding_a_study.md), the rest is here and in plans.smk.
wildcard_constraints:
    work=any_of(WORKS),
    shard="[0-9a-f]{16}",


rule gather_shards:
    input:
        plan=lambda w: str(work_plan(w.work).path),
        shards=lambda w: shards_of(w.work),
    output:
        table="results/{work}.parquet",
    log:
        "logs/gather_shards/{work}.log",
    conda:
        "../../environment.yml"
    resources:
        mem_mb=table_memory,
    params:
        schema=lambda w: WORKS[w.work].plain_schema(),
        rule=lambda w: WORKS[w.work].rule,
        shards_code=lambda w: getattr(rules, WORKS[w.work].rule).params.code,
        code=code_of("shards/gather"),
    message:
        "Gathering the shards of {wildcards.work}"
    script:
        "../scripts/shards/gather.py"
