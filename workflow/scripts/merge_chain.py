"""Merge finished job branches of each study of a chain (rule merge)."""

from pathlib import Path

from bidsloom.base.entry_point import entry_point
from bidsloom.chains.chain_file import read_chain
from bidsloom.chains.run import merge_chain

if __name__ == "__main__":
    with entry_point(snakemake.log[0]):
        merge_chain(read_chain(snakemake.config, Path(snakemake.params.file)))
