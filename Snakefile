"""
Run a BIDS App over every subject of a DataLad dataset.

A study in one config file; one job a unit; one output dataset in which every
result carries a rerunnable provenance record.

    snakemake --cores 1 check    whether all is there
    snakemake -n                 which units, which jobs
    snakemake --cores all        here, on this machine
    snakemake --profile slurm    on the cluster
"""

import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")

# Where the library is installed, this folder holds the rules' scripts alone.
sys.path.insert(0, str(Path(str(workflow.current_basedir), "workflow", "scripts")))

from bidsloom.base.errors import ConfigFailure, error_message
from bidsloom.chains.chain_file import is_chain
from bidsloom.config.loading import read_key_lines

# Our loader reads the files first: Snakemake's passes over keys that are given twice.
KEY_LINES = {}
if len(workflow.modifier_stack) == 1:
    try:
        KEY_LINES = read_key_lines(
            workflow.overwrite_configfiles or [Path("config/config.yaml")],
            given=workflow.config_settings.config or (),
        )
    except ConfigFailure as e:
        sys.exit(error_message(e.problems))

# A study given on the command line stands alone: no key of the demo's config
# may leak into it.
if not workflow.overwrite_configfiles:

    configfile: "config/config.yaml"


include: "workflow/rules/resources.smk"
include: "workflow/rules/start.smk"


# Several studies, each with rules of its own (names with a prefix).
if is_chain(config):

    include: "workflow/rules/chain.smk"

else:

    include: "workflow/rules/common.smk"
    include: "workflow/rules/inputs.smk"

    pathvars:
        study=f"results/{STUDY.name}",

    wildcard_constraints:
        unit=UNIT,
        batch=BATCH,

    include: "workflow/rules/check.smk"
    include: "workflow/rules/study.smk"
    include: "workflow/rules/subject.smk"
    include: "workflow/rules/merge.smk"
    include: "workflow/rules/report.smk"
    include: "workflow/rules/prove.smk"
    include: "workflow/rules/export.smk"

    # Each by name: a report of a failed run must not pass for the study.
    WHOLE = [unit_results, last_results, "<study>/report.html"]


# Every unit processed, merged, verified and reported.
rule all:
    default_target: True
    input:
        WHOLE,
    localrule: True


onsuccess:
    end_run(success=True, logs=log)


# A failed unit holds up nobody: what is finished is merged and reported.
onerror:
    end_run(success=False, logs=log)
