"""Which jobs there are, what they ask for, what SLURM knows of them.

batch_job    process the units of a batch
batches      units that share a job
cancel       end the jobs of some units
in_progress  units that a process of this machine is working at
job_scripts  a script for each unit, to submit by hand
node_call    what a job on a node is called with, without Snakemake
requests     CPUs, memory and time of a job
retry        whether another attempt is worth it
slurm        SLURM's queue, and why a job ended
submissions  when jobs are submitted, and which together as an array
unit_jobs    the jobs of a batch whose units have one each
watch        what is known of the running jobs, for Snakemake's SLURM plugin
"""
