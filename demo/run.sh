#!/usr/bin/env bash
# The demo: makes a small BIDS dataset and runs the shipped study on it.
set -euo pipefail
cd "$(dirname "$0")/.."

# A fresh machine has no git identity; the demo's commits carry this one.
if ! git config --get user.name >/dev/null || ! git config --get user.email >/dev/null; then
    export GIT_AUTHOR_NAME="bidsloom demo" GIT_AUTHOR_EMAIL=demo@example.org
    export GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL
    identity=borrowed
fi

mkdir -p demo/scratch
python demo/make_dataset.py demo/bids
before=$(git --git-dir demo/derivatives.git rev-parse -q --verify main 2>/dev/null || true)
snakemake --cores all --quiet all
after=$(git --git-dir demo/derivatives.git rev-parse main)
folder=derivatives/imagestats
# A store that an earlier version made keeps its folder.
git --git-dir demo/derivatives.git cat-file -e "main:$folder" 2>/dev/null || folder=imagestats

echo
if [ "$before" = "$after" ]; then
    echo "Nothing to do: every subject is processed, merged and verified already."
fi
echo "The output dataset:  demo/derivatives.git (a bare store; clone it to look inside)"
echo "The report:          results/demo/report.html"
echo "One subject's record in its history:"
git --git-dir demo/derivatives.git log main -1 --format='    %h %an %ad  %s' --date=short \
    --grep 'Bidsloom-Unit: sub-01'
echo
echo "Next, type:"
echo "    . .venv/bin/activate"
if [ "${identity:-}" = borrowed ]; then
    echo "    git config --global user.name 'Your Name'"
    echo "    git config --global user.email you@example.org"
fi
echo "    datalad clone demo/derivatives.git demo/look && cd demo/look"
echo "    datalad get $folder/sub-01      # fetch one subject's files"
echo "    datalad rerun \$(git log -1 --format=%H --grep 'Bidsloom-Unit: sub-01')"
echo "Then edit config/config.yaml for a study of your own, and: snakemake -n"
