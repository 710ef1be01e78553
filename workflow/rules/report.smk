"""
Report what became of every unit.

INPUTS   results/{study}/merged.txt and the records of the units
OUTPUTS  results/{study}/report.html, report.tsv, report.json
"""


rule write_report:
    input:
        "results/{study}/merged.txt",
        "results/{study}/subjects.tsv",
    output:
        "results/{study}/report.html",
        "results/{study}/report.tsv",
        "results/{study}/report.json",
    log:
        "results/{study}/logs/write_report.log",
    message:
        "Report on study {wildcards.study}"
    script:
        "../scripts/report.py"


# Reports what is known now, also while units are due.
rule report:
    input:
        ancient(f"results/{STUDY.name}/subjects.tsv"),
    log:
        f"results/{STUDY.name}/logs/report.log",
    message:
        "Report on the study as it stands"
    script:
        "../scripts/report.py"
