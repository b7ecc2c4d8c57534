"""`python -m attncourse` is the command `attncourse`."""

import sys

from attncourse.cli import main

sys.exit(main())
