"""Serve a live page of a study.

python workflow/scripts/page.py [--config config/config.yaml] [--port]
"""

from bidsloom.base.own_python import use_own_python

use_own_python(failure_code=3)

from bidsloom.commands.page import main  # noqa: E402  (this Python may lack what it needs)

if __name__ == "__main__":
    main()
