"""See that jobs have what they need in this place (rule check_node)."""

from pathlib import Path

from bidsloom.config import Study
from bidsloom.entry import entry_point
from bidsloom.findings import failures, write_findings
from bidsloom.preflight import refuse
from bidsloom.records import write_json
from bidsloom.rehearsal import look_on_node

if __name__ == "__main__":
    with entry_point(snakemake.log[0]):
        study = Study.from_config(snakemake.config)
        findings = look_on_node(study)
        write_findings(study.results / "check" / "node.json", findings)
        refuse(failures(findings))
        write_json(Path(snakemake.output[0]), {"node": findings[0].where})
