"""
Prepare the study dataset and the output store, and list the units.

INPUTS   the input dataset at its pinned commit, the container image
OUTPUTS  results/{study}/prepared.json
         results/{study}/scripts/{unit}.sh, by target job_scripts
         results/{study}/subjects.tsv
         results/{study}/excluded.tsv
"""


# Retries are for the units alone: what fails here fails again.
rule prepare_study:
    input:
        files_of_producers("prepared.json"),
    output:
        prepared="<study>/prepared.json",
    log:
        "<study>/logs/prepare_study.log",
    retries: 0
    localrule: True
    params:
        input_commit=lambda wildcards: OPENED and OPENED.units.commit,
        further=lambda wildcards: OPENED and OPENED.further,
        image_id=lambda wildcards: OPENED and OPENED.image_id,
        call_fmt=lambda wildcards: STUDY.container.call_fmt,
        output_url=lambda wildcards: STUDY.output_url,
    message:
        of_study("Prepare the study dataset and the output store")
    script:
        "../scripts/prepare_study.py"


rule list_subjects:
    output:
        subjects="<study>/subjects.tsv",
        excluded="<study>/excluded.tsv",
    log:
        "<study>/logs/list_subjects.log",
    retries: 0
    localrule: True
    params:
        input_commit=lambda wildcards: OPENED and OPENED.units.commit,
        further=lambda wildcards: OPENED and OPENED.further,
        selection=lambda wildcards: (
            OPENED and listing_key(STUDY, OPENED.units.commit, OPENED.further)
        ),
    message:
        of_study("List the units")
    script:
        "../scripts/list_subjects.py"


# Scripts to submit by hand; a later run sees what they did as done.
rule job_scripts:
    input:
        "<study>/prepared.json",
        "<study>/subjects.tsv",
    log:
        "<study>/logs/job_scripts.log",
    retries: 0
    localrule: True
    params:
        units=lambda wildcards: OPENED and OPENED.names,
        options=lambda wildcards: sbatch_options(STUDY, PROFILE),
    message:
        of_study("Write a job script for every unit")
    script:
        "../scripts/job_scripts.py"
