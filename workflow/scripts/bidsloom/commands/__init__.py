"""What people type: `bidsloom new`, `status`, `page`, `cancel`, `accept`, `erase`, `job`, `schema`.

accept        merge results that are not complete, as they are
chosen        the studies that a command is about, of a chain too
erase         take a withdrawn subject out of the stores; also `erase.py`
command_line  the command `bidsloom`
job           one unit by hand; also `process_subject.py`
new_study     a folder for a new study
page          the live page; also `page.py`
run_job       what a SLURM job runs on its node; typed by nobody
status        what became of every unit, and cancel some; also `status.py`
"""
