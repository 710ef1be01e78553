"""
Report what became of every unit.

INPUTS   results/{study}/merged.txt and the records of the units
OUTPUTS  results/{study}/report.html, report.tsv, report.json
"""


rule write_report:
    input:
        last_results,
        f"results/{STUDY.name}/subjects.tsv",
    output:
        report(f"results/{STUDY.name}/report.html", category=STUDY.name, labels={"report": "page"}),
        report(f"results/{STUDY.name}/report.tsv", category=STUDY.name, labels={"report": "table"}),
        f"results/{STUDY.name}/report.json",
    log:
        f"results/{STUDY.name}/logs/write_report.log",
    retries: 0
    message:
        "Report on the study"
    script:
        "../scripts/report.py"


# Reports what is known now, also while units are due.
rule report:
    input:
        ancient(f"results/{STUDY.name}/subjects.tsv"),
    log:
        f"results/{STUDY.name}/logs/report.log",
    retries: 0
    message:
        "Report on the study as it stands"
    script:
        "../scripts/report.py"
