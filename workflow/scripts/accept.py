"""Merge results of some units although they are not complete.

python workflow/scripts/accept.py 001,002 [--config config/config.yaml]
"""

from bidsloom.commands.accept import main

if __name__ == "__main__":
    main()
