"""What a machine must have before a job: at a start, by `check`, on a node, in each job.

Functions named `check_...` raise `WorkflowFailure` where something is wrong;
functions named `tell_...` return, for the table, what is there.

app             starts the app: whether it starts, and which version it is
at_start        the checks when Snakemake starts, and those of each job
bids_validator  the errors that bids-validator finds
content_trial   a check that tries: send a file to the content store
findings        a check, what it found, and the table of findings
input_trials    checks that try: fetch a file as jobs do
lock_file       checks of the lock file, and whether it locks between nodes
machine         single checks of the machine
merged_bids     what bids-validator finds in the merged results
mounts          checks of the files and folders that the app can see
on_node         the checks that run where jobs run
store_trial     a check that tries: push a commit
subject_datasets  whether subjects that are datasets can be had
trial_folder    a temporary folder in which something is tried
"""
