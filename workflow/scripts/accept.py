"""Merge results of some units although they are not complete.

python workflow/scripts/accept.py 001,002 [--config config/config.yaml]
"""

from bidsloom.base.own_python import use_own_python

use_own_python()

from bidsloom.commands.accept import main  # noqa: E402  (this Python may lack what it needs)

if __name__ == "__main__":
    main()
