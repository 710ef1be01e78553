"""
Prepare the study dataset and the output store, and list the units.

INPUTS   the input dataset at its pinned commit, the container image
OUTPUTS  results/{study}/prepared.json
         results/{study}/lock_checked.json, with datalad.lock_file
         results/{study}/scripts/{unit}.sh, by target job_scripts
         results/{study}/subjects.tsv
         results/{study}/excluded.tsv
"""


# Retries are for the units alone: what fails here fails again.
rule prepare_study:
    output:
        prepared=f"results/{STUDY.name}/prepared.json",
    log:
        f"results/{STUDY.name}/logs/prepare_study.log",
    retries: 0
    params:
        input_commit=lambda wildcards: OPENED and OPENED.units.commit,
        further=lambda wildcards: OPENED and OPENED.further,
        image_id=lambda wildcards: OPENED and OPENED.image_id,
        call_fmt=lambda wildcards: STUDY.container.call_fmt,
        output_url=lambda wildcards: STUDY.output_url,
    message:
        "Prepare the study dataset and the output store"
    script:
        "../scripts/prepare_study.py"


rule list_subjects:
    output:
        subjects=f"results/{STUDY.name}/subjects.tsv",
        excluded=f"results/{STUDY.name}/excluded.tsv",
    log:
        f"results/{STUDY.name}/logs/list_subjects.log",
    retries: 0
    params:
        input_commit=lambda wildcards: OPENED and OPENED.units.commit,
        further=lambda wildcards: OPENED and OPENED.further,
        selection=lambda wildcards: (
            OPENED and listing_key(STUDY, OPENED.units.commit, OPENED.further)
        ),
    message:
        "List the units"
    script:
        "../scripts/list_subjects.py"


# One job on a node, before all others: a lock that is local to each node would
# lock nothing.
rule check_lock:
    input:
        prepared=f"results/{STUDY.name}/prepared.json",
    output:
        checked=f"results/{STUDY.name}/lock_checked.json",
    log:
        f"results/{STUDY.name}/logs/check_lock.log",
    retries: 0
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        lock_file=lambda wildcards: str(STUDY.lock_file),
    message:
        "See that the nodes share the lock file"
    script:
        "../scripts/check_lock.py"


# Scripts to submit by hand; a later run sees what they did as done.
rule job_scripts:
    input:
        ancient(f"results/{STUDY.name}/prepared.json"),
        ancient(f"results/{STUDY.name}/subjects.tsv"),
    log:
        f"results/{STUDY.name}/logs/job_scripts.log",
    retries: 0
    params:
        units=lambda wildcards: OPENED and OPENED.names,
        options=lambda wildcards: sbatch_options(STUDY),
    message:
        "Write a job script for every unit"
    script:
        "../scripts/job_scripts.py"
