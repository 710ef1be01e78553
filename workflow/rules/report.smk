"""
Report what became of every unit.

INPUTS   results/{study}/merged.txt and the records of the units
OUTPUTS  results/{study}/report.html, report.tsv, report.json
"""


rule write_report:
    input:
        last_results,
        "<study>/subjects.tsv",
    output:
        report("<study>/report.html", category=STUDY.name, labels={"report": "page"}),
        report("<study>/report.tsv", category=STUDY.name, labels={"report": "table"}),
        "<study>/report.json",
    log:
        "<study>/logs/write_report.log",
    retries: 0
    localrule: True
    message:
        of_study("Report on the study")
    script:
        "../scripts/write_report.py"


# Reports what is known now, also while units are due.
rule report:
    input:
        "<study>/subjects.tsv",
    log:
        "<study>/logs/report.log",
    retries: 0
    localrule: True
    message:
        of_study("Report on the study as it stands")
    script:
        "../scripts/write_report.py"
