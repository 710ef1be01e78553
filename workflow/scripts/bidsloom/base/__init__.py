"""Programs, files, errors and text.  Knows nothing of studies.

batching         many things, a few at a time
credentials      user names and passwords in URLs, kept away from everything but git
datalad_run      `datalad containers-run`, in this process
entry_point      how a script starts, logs, and ends without a traceback
errors           what can go wrong, in words for the person at the terminal
files            small files, written completely or not at all
git_settings     the git configuration that our repositories see
own_python       scripts started with a Python that lacks the packages
page_references  the files that an HTML page names
patience         waiting for servers that are away for a while
paths            where the workflow's own files are
patterns         patterns of paths, as regular expressions
private_files    files with secrets, which belong to this user alone
runners          the only module that starts programs
sharing          the repository of a group
space            disks that are full, as a failure that names the folder
text             tables and lists for the terminal
"""
