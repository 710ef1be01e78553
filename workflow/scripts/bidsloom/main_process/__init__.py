"""What Snakemake's main process does before and after the jobs.

ending         conclude a run: merge, report, messages
opening        open a study
start_message  what a start says
"""
