"""Which files are annexed, by the rules that every output dataset carries."""

from __future__ import annotations

# Small text lives in git, where it can be read and compared without fetching;
# everything else is annexed.
ATTRIBUTES = """\
* annex.backend=MD5E
* annex.largefiles=anything
*.json annex.largefiles=largerthan=100kb
*.tsv annex.largefiles=largerthan=100kb
*.csv annex.largefiles=largerthan=100kb
*.html annex.largefiles=largerthan=100kb
*.md annex.largefiles=largerthan=100kb
*.txt annex.largefiles=largerthan=100kb
*.bib annex.largefiles=largerthan=100kb
*.toml annex.largefiles=largerthan=100kb
.bidsignore annex.largefiles=nothing
README* annex.largefiles=nothing
**/.git* annex.largefiles=nothing
code/** annex.largefiles=nothing
.datalad/environments/** annex.largefiles=anything
"""
# For git-annex and git in a job's clone, above all rules that an app's own
# files hold: what is annexed, and that no filter and no conversion of line ends
# changes what was written.
OWN_ATTRIBUTES = f"{ATTRIBUTES}* filter=annex -text -ident !eol !working-tree-encoding -merge\n"
