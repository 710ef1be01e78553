"""
See that jobs can work before there are any.

INPUTS   the config, and all that it names
OUTPUTS  results/{study}/checked.json, where a place of jobs has what they need
         results/{study}/lock_checked.json, where one node's lock keeps out another
         and in results/{study}/check/ all that was found
"""


# On a cluster one job before all others; here when it is asked for.
rule check_node:
    input:
        what_a_check_needs,
    output:
        "<study>/checked.json",
    log:
        "<study>/logs/check_node.log",
    retries: 0
    envmodules:
        *STUDY.resources.modules,
    resources:
        **check_resources(STUDY),
    message:
        of_study("See that jobs have what they need")
    script:
        "../scripts/check_node.py"


# One job on two nodes, so that both are there at once.
rule check_lock:
    output:
        "<study>/lock_checked.json",
    log:
        "<study>/logs/check_lock.log",
    retries: 0
    resources:
        **lock_resources(STUDY),
    message:
        of_study("See that the nodes share the lock file")
    script:
        "../scripts/check_lock.py"


# The table is printed last of all.
rule check:
    input:
        check_files(),
    localrule: True
