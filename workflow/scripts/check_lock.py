"""Check that a lock on one node stops another node (rule check_lock).

python workflow/scripts/check_lock.py FILE    is it held, as seen from here?
"""

import sys
from pathlib import Path

from bidsloom.base.entry_point import entry_point
from bidsloom.base.errors import refuse
from bidsloom.base.files import write_json
from bidsloom.checks.findings import Check, failures, run_checks, write_findings
from bidsloom.checks.lock_file import prove_lock, state_of_lock
from bidsloom.config import read_study

if "snakemake" in globals():
    with entry_point(snakemake.log[0]):
        study = read_study(snakemake.config, checked=True)
        wanted = "a lock on one node stops another node"
        findings = run_checks(
            [Check("datalad.lock_file", wanted, tell=lambda: prove_lock(study.lock_file))],
            telling=True,
        )
        write_findings(study.files.findings("lock"), findings)
        refuse(failures(findings))
        write_json(Path(snakemake.output[0]), {"found": findings[0].found})
elif __name__ == "__main__":
    print(state_of_lock(Path(sys.argv[1])))
