"""Run one job of a study on a node (rules process_subject, process_batch, process_group, prove,
check_node), where Snakemake's SLURM plugin submits it.
"""

from bidsloom.commands.run_job import main

if __name__ == "__main__":
    main()
