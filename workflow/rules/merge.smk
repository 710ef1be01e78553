"""
Verify finished job branches and weave them into main.

INPUTS   results/{study}/jobs/{unit}.json of every unit
OUTPUTS  results/{study}/merged.txt
         and main, with its location logs, in the output store
         results/{study}/jobs/group.json and group_merged.txt, with
         container.group_level
"""


rule merge_branches:
    input:
        unit_results,
        "<study>/subjects.tsv",
        "<study>/excluded.tsv",
        merges_before,
    output:
        "<study>/merged.txt",
    log:
        "<study>/logs/merge_branches.log",
    retries: 0
    localrule: True
    params:
        input_commit=lambda wildcards: OPENED and OPENED.units.commit,
        remove_withdrawn=STUDY.remove_withdrawn,
        complete=expects_digest(STUDY.container),
        accept=STUDY.selection.accept,
    message:
        of_study("Merge the job branches")
    script:
        "../scripts/merge_branches.py"


# The app's group level, on all that is merged; its branch is then merged too.
rule process_group:
    input:
        what_the_group_needs,
    output:
        record="<study>/jobs/{unit}.json",
    log:
        "<study>/logs/{unit}.log",
    wildcard_constraints:
        unit=GROUP,
    envmodules:
        *STUDY.resources.modules,
    threads: STUDY.resources.group.cpus
    resources:
        **job_resources(STUDY, lambda wildcards, attempt: unit_request(STUDY, PROFILE, GROUP)),
    params:
        arguments=STUDY.container.group_arguments,
        inputs=STUDY.container.group_inputs,
    message:
        of_study("Process the group")
    script:
        "../scripts/process_subject.py"


rule merge_group:
    input:
        f"<study>/jobs/{GROUP}.json",
    output:
        "<study>/group_merged.txt",
    log:
        "<study>/logs/merge_group.log",
    retries: 0
    localrule: True
    message:
        of_study("Merge the group's result")
    script:
        "../scripts/merge_branches.py"


# Merges what is finished now, also while other units are due.
rule merge:
    input:
        "<study>/prepared.json",
        "<study>/subjects.tsv",
        "<study>/excluded.tsv",
    log:
        "<study>/logs/merge.log",
    retries: 0
    localrule: True
    message:
        of_study("Merge the finished job branches")
    script:
        "../scripts/merge_branches.py"
