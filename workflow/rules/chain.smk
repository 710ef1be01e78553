"""
Several studies in one run: a module for each, whose rules have its name as a prefix.

INPUTS   the file that lists the studies' config files
OUTPUTS  those of each study, and results/{chain}.html and .json, a line each study
"""

from bidsloom.base.errors import ConfigFailure, WorkflowFailure, error_message
from bidsloom.base.paths import SNAKEFILE
from bidsloom.chains.chain_file import read_chain
from bidsloom.chains.run import conclude_chain, describe_checks, open_chain, running_steps
from bidsloom.main_process.ending import load_addresses
from bidsloom.main_process.opening import fetch_layout

CHAIN_FILE = Path([*workflow.overwrite_configfiles, "config/config.yaml"][0])
# Dataset -> what is wrong with it, which leaves the others alone.
REFUSED = {}


def end_run(*, success: bool, logs: list[str]) -> None:
    """What comes after the last job: tables of what was checked, or each study's conclusion."""
    if ONLY_CHECK:
        print(describe_checks(CHAIN_STEPS.values(), FOUND))
        return
    try:
        for text in conclude_chain(
            CHAIN, CHAIN_STEPS, success=success, complete=IS_WHOLE, logs=logs, refused=REFUSED
        ):
            print(text, file=sys.stderr)
    except WorkflowFailure as e:
        sys.exit(error_message([e]))


try:
    CHAIN = read_chain(config, CHAIN_FILE)
    if makes_jobs():
        set_up_environment()
        for step in CHAIN.steps:
            fetch_layout(step.study)
        CHAIN = read_chain(config, CHAIN_FILE, checked=True)
    REFUSED.update(CHAIN.refused)
    CHAIN_STEPS = running_steps(CHAIN)
    if makes_jobs():
        CHAIN_STEPS = open_chain(
            CHAIN,
            look=look_at_study,
            addresses=load_addresses,
            refused=REFUSED,
        )
except ConfigFailure as e:
    end_with(e.problems)
except WorkflowFailure as e:
    end_with([e])

# The modules, whose names are their own, find what was opened there.
workflow.modifier_stack[0].globals["CHAIN_STEPS"] = CHAIN_STEPS
for problems in REFUSED.values() if makes_jobs() else ():
    print(error_message(list(problems)), file=sys.stderr)

for STEP in CHAIN_STEPS.values():
    STEP_PREFIX, STEP_MODULE = STEP.prefix, f"{STEP.prefix}study"

    module:
        name: STEP_MODULE
        snakefile:
            str(SNAKEFILE)
        config:
            STEP.config

    use rule * from STEP_MODULE as STEP_PREFIX*


WHOLE = [step.whole for step in CHAIN_STEPS.values()]
WHOLE += [f"results/{CHAIN.name}_refused.txt"] if REFUSED else []


rule check:
    input:
        [step.checks for step in CHAIN_STEPS.values()],
    localrule: True


# Merges and reports what is finished now, one study after the other.
rule merge:
    log:
        f"results/{CHAIN.name}_merge.log",
    retries: 0
    localrule: True
    params:
        file=str(CHAIN_FILE),
    message:
        "Merge the finished job branches of each study"
    script:
        "../scripts/merge_chain.py"


rule report:
    log:
        f"results/{CHAIN.name}_report.log",
    retries: 0
    localrule: True
    params:
        file=str(CHAIN_FILE),
    message:
        "Report on each study as it stands"
    script:
        "../scripts/report_chain.py"


# The other datasets go on; this one job, which fails, makes the exit code say so.
rule refuse_datasets:
    output:
        f"results/{CHAIN.name}_refused.txt",
    log:
        f"results/{CHAIN.name}_refused.log",
    retries: 0
    localrule: True
    params:
        names=", ".join(REFUSED),
    message:
        "Refuse {params.names}, with the error message above"
    script:
        "../scripts/refuse_datasets.py"
