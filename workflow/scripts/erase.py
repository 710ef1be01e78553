"""Take all results of a withdrawn subject out of the output stores.

python workflow/scripts/erase.py sub-07 [--config config/config.yaml] [--dry-run] [--yes]

Exit codes: 0 it is erased, 3 nothing was erased, or not all of it.
"""

from bidsloom.base.own_python import use_own_python

use_own_python(failure_code=3)

from bidsloom.commands.erase import main  # noqa: E402  (this Python may lack what it needs)

if __name__ == "__main__":
    main()
