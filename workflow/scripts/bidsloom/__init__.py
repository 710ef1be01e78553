"""Run a BIDS App over every unit of a DataLad dataset, one provenance record each.

The library behind the workflow's rules; it knows nothing of Snakemake.  Its
rooms, from top to bottom:

commands       what people type: bidsloom new, status, page, cancel, job, schema
chains         several studies in one run  |  page: the live page of studies, and its API
main_process   opens a study when Snakemake starts, and concludes it
reporting      states, status, report, messages  |  erasure: a subject out of the stores
scheduling     requests, retries, batches, SLURM  |  proof: compute again, compare
               |  handover: plain files for others
prepare        the study dataset  |  job: one unit  |  merge: into main
checks         what a machine needs before a job
records        results/<study>/, fingerprints, why due
units          who is processed, and why not  |  containers: image and runtime
datasets       git, git-annex, DataLad: stores, clones, branches, locks
config         YAML -> Study
base           programs, files, errors, text

A room imports from the lines below its own, never from its own line or above.
Each room's `__init__.py` says what is in it; `docs/architecture.md` tells the
story of one unit through all of them.
"""
