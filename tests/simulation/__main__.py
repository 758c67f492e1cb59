"""``python -m simulation``: see ``run``."""

from simulation.run import main

raise SystemExit(main())
