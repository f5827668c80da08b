"""`python -m bon_core`: see bon_core/cli.py."""

import sys

from bon_core.cli.main import main

sys.exit(main())
