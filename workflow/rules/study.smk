"""
Prepare the study dataset and the output store, and list the units.

INPUTS   the input dataset at its pinned commit, the container image
OUTPUTS  results/{study}/prepared.json
         results/{study}/subjects.tsv
         results/{study}/excluded.tsv
"""


rule prepare_study:
    output:
        prepared=f"results/{STUDY.name}/prepared.json",
    log:
        f"results/{STUDY.name}/logs/prepare_study.log",
    params:
        input_commit=lambda wildcards: OPENED and OPENED.units.commit,
        image_key=lambda wildcards: OPENED and OPENED.image_key,
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
    params:
        input_commit=lambda wildcards: OPENED and OPENED.units.commit,
        selection=lambda wildcards: [STUDY.by_session, STUDY.include, STUDY.exclude],
    message:
        "List the units"
    script:
        "../scripts/list_subjects.py"
