"""Run a BIDS App over every unit of a DataLad dataset, one provenance record each.

The library behind the workflow's rules; it knows nothing of Snakemake.
Read it in the order of a study: `config` (what was asked), `bids` (who is in
the dataset), `study` (looking before anything is submitted, and the study
dataset that jobs clone), `job` (one unit, from clone to push), `merge` (job
branches into main) and `report`.
Below them: `stores` and `branches` (where results live), `containers`,
`records` (small JSON files), `runners` (the only place that starts programs)
and `errors`.
"""
