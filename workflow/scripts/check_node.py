"""Check that jobs have what they need on this machine (rule check_node)."""

from pathlib import Path

from bidsloom.base.entry_point import entry_point
from bidsloom.base.errors import refuse
from bidsloom.base.files import write_json
from bidsloom.checks.findings import failures, write_findings
from bidsloom.checks.on_node import check_this_node
from bidsloom.config import read_study

if __name__ == "__main__":
    with entry_point(snakemake.log[0]):
        study = read_study(snakemake.config)
        findings = check_this_node(study)
        write_findings(study.files.findings("node"), findings)
        refuse(failures(findings))
        write_json(Path(snakemake.output[0]), {"node": findings[0].where})
