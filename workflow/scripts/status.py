"""What becomes of every unit, also while Snakemake runs.

python workflow/scripts/status.py [--config config/config.yaml]
python workflow/scripts/status.py --cancel 001,002

Exit codes: 0 all is done and merged, 1 units failed and no job is at work,
2 there is work left, 3 the question itself was wrong.  With --cancel: 0 all of
them were cancelled, 1 not all.
"""

from bidsloom.base.own_python import use_own_python

use_own_python(failure_code=3)

from bidsloom.commands.status import main  # noqa: E402  (this Python may lack what it needs)

if __name__ == "__main__":
    main()
