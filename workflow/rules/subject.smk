"""
Process one unit and push the result as a job branch.

INPUTS   results/{study}/prepared.json
         results/{study}/subjects.tsv
OUTPUTS  results/{study}/jobs/{unit}.json
         and job/<app>/{unit} in the output store
"""


rule process_subject:
    input:
        what_a_job_needs,
    output:
        record="results/{study}/jobs/{unit}.json",
    params:
        fingerprint=fingerprint_of,
    log:
        "results/{study}/logs/{unit}.log",
    threads: STUDY.resources.cpus
    resources:
        **job_resources(STUDY),
    message:
        "Process {wildcards.unit}"
    script:
        "../scripts/process_subject.py"
