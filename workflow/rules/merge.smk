"""
Verify finished job branches and weave them into main.

INPUTS   results/{study}/jobs/{unit}.json of every unit
OUTPUTS  results/{study}/merged.txt
         and main, with its location logs, in the output store
"""


rule merge_branches:
    input:
        unit_results,
    output:
        f"results/{STUDY.name}/merged.txt",
    log:
        f"results/{STUDY.name}/logs/merge_branches.log",
    retries: 0
    message:
        "Merge the job branches"
    script:
        "../scripts/merge_branches.py"


# Merges what is finished now, also while other units are due.
rule merge:
    input:
        ancient(f"results/{STUDY.name}/prepared.json"),
    log:
        f"results/{STUDY.name}/logs/merge.log",
    retries: 0
    message:
        "Merge the finished job branches"
    script:
        "../scripts/merge_branches.py"
