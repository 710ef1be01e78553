"""
Process one unit, or several in a row, and push each result as a job branch.

INPUTS   results/{study}/prepared.json
         results/{study}/subjects.tsv
OUTPUTS  results/{study}/jobs/{unit}.json
         and job/<app>/{unit} in the output store
         results/{study}/batches/{batch}.json, with hpc.units_per_job, or
         {batch}_array.json, when each of the batch's units has its record
"""


rule process_subject:
    input:
        what_a_job_needs,
    output:
        record="<study>/jobs/{unit}.json",
    log:
        "<study>/logs/{unit}.log",
    envmodules:
        *STUDY.resources.modules,
    threads: STUDY.resources.job.cpus
    resources:
        **job_resources(
            STUDY, lambda wildcards, attempt: unit_request(STUDY, PROFILE, wildcards.unit)
        ),
    params:
        fingerprint=fingerprint_of,
    message:
        of_study(f"Process {{wildcards.unit}}{{WHY:{STUDY.name} {{wildcards.unit}}}}")
    script:
        "../scripts/process_subject.py"


# The units' own records are no outputs: Snakemake would delete those of the
# finished ones where another one failed.
rule process_batch:
    input:
        what_a_batch_needs,
    output:
        done="<study>/batches/{batch}.json",
    log:
        "<study>/batches/{batch}.log",
    envmodules:
        *STUDY.resources.modules,
    threads: STUDY.resources.job.cpus
    resources:
        **job_resources(
            STUDY, lambda wildcards, attempt: request_for_batch(wildcards.batch, attempt)
        ),
    params:
        units=units_of,
    message:
        of_study("Process {params.units}")
    script:
        "../scripts/process_batch.py"


# Each unit has a SLURM job of its own, which slurm_adapter.py submits and follows.
rule process_array:
    input:
        what_a_batch_needs,
    output:
        done="<study>/batches/{batch}_array.json",
    log:
        "<study>/batches/{batch}.log",
    envmodules:
        *STUDY.resources.modules,
    threads: STUDY.resources.job.cpus
    resources:
        **job_resources(
            STUDY, lambda wildcards, attempt: request_for_array(wildcards.batch, attempt)
        ),
    message:
        of_study("Process the units of {wildcards.batch}, each in a job of its own")
    script:
        "../scripts/process_batch.py"
