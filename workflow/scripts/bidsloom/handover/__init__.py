"""Results for others: plain files without git, for people and for archives.

export         the flow: what main holds goes to a folder, to zip files, or to a special remote
contents       which files are exported, subject by subject
links          what symbolic links stand for
checksums      compares content with what a key says
destination    the folder that is exported to, and its notes of what lies there
reading        reads their content from the stores
folder_export  brings a folder up to date
remote_export  the same for a special remote, by `git annex export`
"""
