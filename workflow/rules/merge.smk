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
        ancient(f"results/{STUDY.name}/subjects.tsv"),
        ancient(f"results/{STUDY.name}/excluded.tsv"),
    output:
        f"results/{STUDY.name}/merged.txt",
    log:
        f"results/{STUDY.name}/logs/merge_branches.log",
    retries: 0
    params:
        input_commit=lambda wildcards: OPENED and OPENED.units.commit,
        remove_withdrawn=STUDY.remove_withdrawn,
    message:
        "Merge the job branches"
    script:
        "../scripts/merge_branches.py"


# The app's group level, on all that is merged; its branch is then merged too.
rule process_group:
    input:
        f"results/{STUDY.name}/merged.txt",
        ancient(f"results/{STUDY.name}/prepared.json"),
    output:
        record=f"results/{STUDY.name}/jobs/{{unit}}.json",
    log:
        f"results/{STUDY.name}/logs/{{unit}}.log",
    wildcard_constraints:
        unit=GROUP,
    envmodules:
        *STUDY.resources.modules,
    threads: STUDY.resources.group.cpus
    resources:
        **job_resources(STUDY, lambda wildcards, attempt: request_for(GROUP)),
    params:
        arguments=STUDY.container.group_arguments,
        inputs=STUDY.container.group_inputs,
    message:
        "Process the group"
    script:
        "../scripts/process_subject.py"


rule merge_group:
    input:
        f"results/{STUDY.name}/jobs/{GROUP}.json",
    output:
        f"results/{STUDY.name}/group_merged.txt",
    log:
        f"results/{STUDY.name}/logs/merge_group.log",
    retries: 0
    message:
        "Merge the group's result"
    script:
        "../scripts/merge_branches.py"


# Merges what is finished now, also while other units are due.
rule merge:
    input:
        ancient(f"results/{STUDY.name}/prepared.json"),
        ancient(f"results/{STUDY.name}/subjects.tsv"),
        ancient(f"results/{STUDY.name}/excluded.tsv"),
    log:
        f"results/{STUDY.name}/logs/merge.log",
    retries: 0
    message:
        "Merge the finished job branches"
    script:
        "../scripts/merge_branches.py"
