"""git, git-annex and DataLad: stores, clones, branches, locks.  Knows no BIDS.

annex            annexed files as git-annex keeps them
attributes       which files are annexed
branches         job branches and their results
content_store    the content of results in a special remote
clones           the study's own clones of input and output
fetches          what a store has that its clone lacks
folders          a plain folder on disk: what it holds, and what cannot be imported
imports          plain folders as datasets, by git-annex
locations        git-annex' notes of which repository holds which content
locks            the lock file, and one process at a time in the study's clones
output_datasets  the output dataset, and outputs that are separate datasets
packs            objects in git's packs
pushes           pushing refs and the git-annex branch into stores
registered       what the output dataset has registered as subdatasets
repositories     every repository of a study, and the lock files in them
result_trees     what many results hold at one path, and commits that join results
stored_files     files of results, read from the stores without fetching
stores           the kinds of store, and what a store holds
subdataset_trees  what a commit of a subdataset holds, without its content
subdatasets      where subdatasets of an input come from, and how they are installed
thin_clones      commands for a clone that holds one unit
trees            trees of git, read and written without an index
web_remotes      annexes on web servers that git-annex could not read at first
unit_results     a unit's result over all datasets that it was written to
"""
