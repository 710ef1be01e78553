"""
Compute some merged units again, in fresh clones, and compare.

INPUTS   results/{study}/prepared.json, and main in the output store
OUTPUTS  results/{study}/proof.json
"""


# One job on a node; what differs is told, and ends Snakemake with an error.
rule prove:
    input:
        "<study>/prepared.json",
        "<study>/subjects.tsv",
    log:
        "<study>/logs/prove.log",
    retries: 0
    envmodules:
        *STUDY.resources.modules,
    threads: STUDY.resources.job.cpus
    resources:
        **job_resources(STUDY, lambda wildcards, attempt: proof_request(STUDY, PROFILE)),
    message:
        of_study(f"Compute {STUDY.prove_units} unit(s) again")
    script:
        "../scripts/prove.py"
