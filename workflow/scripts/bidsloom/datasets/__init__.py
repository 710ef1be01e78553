"""git, git-annex and DataLad: stores, clones, branches, locks.  Knows no BIDS.

annex            annexed files as git-annex keeps them
attributes       which files are annexed
branches         job branches and their results
clones           the study's own clones of input and output
locations        git-annex' notes of which repository holds which content
locks            the lock file, and one process at a time in the study dataset
output_datasets  the output dataset, and outputs that are datasets of their own
pushes           refs into stores
stores           the kinds of store, and what one holds
thin_clones      commands for a clone that holds one unit
unit_results     results on job branches, over all datasets they were written to
"""
