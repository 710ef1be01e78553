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
        record=f"results/{STUDY.name}/jobs/{{unit}}.json",
    log:
        f"results/{STUDY.name}/logs/{{unit}}.log",
    envmodules:
        *STUDY.resources.modules,
    threads: STUDY.resources.cpus
    resources:
        **job_resources(STUDY),
    params:
        fingerprint=fingerprint_of,
    message:
        "Process {wildcards.unit}"
    script:
        "../scripts/process_subject.py"
