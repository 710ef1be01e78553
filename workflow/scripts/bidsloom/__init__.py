"""Run a BIDS App over every unit of a DataLad dataset, one provenance record each.

The library behind the workflow's rules; it knows nothing of Snakemake.
Read it in the order of a study:

config      what was asked, frozen (`values` reads a single value, `faults` tells
            what is wrong)
look        everything it names is looked at before anything is submitted
            (`preflight` has the looks, `findings` what they find;
            `rehearsal` looks where jobs run, by `trials` and `validate`)
bids        who is in the dataset (`further`: in those beside it)
selection   who of them is processed, and why the others are not
            (`participants` and `where` ask participants.tsv, `entities` the
            files' names; `listing` remembers, `overview` tells)
clones      the study's own clones of input and output
settle      what `results/` says, brought in line with the store
fingerprints  what a result is made from (`due`: what of that changed)
prepare     the study dataset that jobs clone (`scaffolding` is what it holds
            before any result)
job         one unit, from clone to push (`steps` lists the commands,
            `layout` those of its clones, `apprun` runs the app, `measure`
            tells what it takes, `scratch` is its folder, `failures` its bad
            ends; `group` is the job of the app's group level)
retry       what the next attempt asks for
merge       job branches into main (`announced` is what jobs left there,
            `held` what main has already; `publish` writes and pushes main,
            `locations` are git-annex' notes, `tidy` removes what is merged)
prove       some merged units computed again (`proof` tells what came out)
states      what became of every unit (`causes` puts like with like; `status`
            tells it while jobs run, with what `atwork` and `slurm` know of
            them; `cancel` ends some, `cancelled` remembers it)
sizing      what jobs should ask for, and what the study will take (`advice`
            puts it in words)
report      tells it all, in tables and on a page (`page`)
notifications  tell people that a run has ended

Below them: `targets`, `stores`, `branches` and `locks` (where results live),
`containers`, `records` (small files), `tables`, `runners` (the only place that starts
programs) and `errors`.
"""
