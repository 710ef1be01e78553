"""What a machine must have before a job: at a start, by `check`, on a node, in each job.

at_start        the list of checks
bids_validator  bids-validator's findings
findings        a check and what it found
lock_file       the lock file, and that it locks between nodes
machine         single checks of the machine
mounts          what the app is to see of the machine
on_node         the checks that run where jobs run
trials          checks that try: start the container, fetch a file, push a commit
"""
