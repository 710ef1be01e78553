"""
Prepare the study dataset and the output store, and list the units.

INPUTS   the input dataset at its pinned commit, the container image
OUTPUTS  results/{study}/prepared.json
         results/{study}/subjects.tsv
         results/{study}/excluded.tsv
"""


rule prepare_study:
    output:
        prepared="results/{study}/prepared.json",
    params:
        input_commit=lambda wildcards: OPENED and OPENED.units.commit,
        image_key=lambda wildcards: OPENED and OPENED.image_key,
        call_fmt=lambda wildcards: STUDY.container.call_fmt,
        output_url=lambda wildcards: STUDY.output_url,
    log:
        "results/{study}/logs/prepare_study.log",
    message:
        "Prepare study {wildcards.study}"
    script:
        "../scripts/prepare_study.py"


rule list_subjects:
    output:
        subjects="results/{study}/subjects.tsv",
        excluded="results/{study}/excluded.tsv",
    params:
        input_commit=lambda wildcards: OPENED and OPENED.units.commit,
        selection=lambda wildcards: [STUDY.by_session, STUDY.include, STUDY.exclude],
    log:
        "results/{study}/logs/list_subjects.log",
    message:
        "List the units of study {wildcards.study}"
    script:
        "../scripts/list_subjects.py"
