"""git, git-annex and DataLad: stores, clones, branches, locks.  Knows no BIDS.

annex            annexed files as git-annex keeps them
attributes       which files are annexed
branches         job branches and their results
clones           the study's own clones of input and output
locations        git-annex' notes of which repository holds which content
locks            the lock file, and one process at a time in the study's clones
output_datasets  the output dataset, and outputs that are separate datasets
pushes           pushing refs and the git-annex branch into stores
repositories     every repository of a study, and the lock files in them
stored_files     files of results, read from the stores without fetching
stores           the kinds of store, and what a store holds
thin_clones      commands for a clone that holds one unit
trees            trees of git, read and written without an index
unit_results     a unit's result over all datasets that it was written to
"""
