"""What Snakemake's main process does before and after the jobs.

opening        open a study
start_message  what a start says
"""
