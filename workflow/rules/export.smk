"""
Lay out merged results as plain files, to hand them over.

INPUTS   results/{study}/prepared.json, and main in the output store
OUTPUTS  what `export` in the config names; results/{study}/export.json
"""


# Exports what is merged now, also while units are due.
rule export:
    input:
        "<study>/prepared.json",
        "<study>/subjects.tsv",
    log:
        "<study>/logs/export.log",
    retries: 0
    localrule: True
    message:
        of_study("Export the merged results")
    script:
        "../scripts/export.py"
