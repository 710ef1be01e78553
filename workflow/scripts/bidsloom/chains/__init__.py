"""Chains: several studies in one run, where one may read the results of another.

chain_faults  what is wrong with the studies of a chain, taken together; pure
chain_file    the file that lists them, read
overview      all studies of a chain at a glance: text, page, JSON
run           the studies of a chain in Snakemake's main process
"""
