"""See from a node that the lock file is the one the study was prepared with (rule check_lock)."""

from pathlib import Path

from bidsloom.config import Study
from bidsloom.entry import entry_point
from bidsloom.locks import check_lock
from bidsloom.records import read_json, write_json

if __name__ == "__main__":
    with entry_point(snakemake.log[0]):
        prepared = read_json(Path(snakemake.input.prepared))
        write_json(
            Path(snakemake.output.checked),
            check_lock(Study.from_config(snakemake.config), prepared["lock_token"]),
        )
