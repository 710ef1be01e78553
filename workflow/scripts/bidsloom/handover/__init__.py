"""Results for others: plain files without git, and their provenance in BIDS' words.

export         the flow: what main holds goes to a folder, to zip files, or to a special remote
contents       which files are exported, subject by subject
links          what symbolic links stand for
checksums      compares content with what a key says
destination    the folder that is exported to, and its notes of what lies there
archives       files that were packed into archives, as plain files
reading        reads their content from the stores
folder_export  brings a folder up to date
bids_prov      provenance of each result as BIDS-Prov
remote_export  the same for a special remote, by `git annex export`
"""
