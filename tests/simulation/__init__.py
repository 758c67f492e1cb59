"""Plays a shop's life from one seed, with everything that can go wrong, and checks its books at rest.

``python -m simulation --seeds 1000`` from the folder ``tests``, or ``nox -s simulate -- --seeds 1000``.

The parts, in the order in which they are used:

``plan``       from a seed to the steps of a life and the troubles that may happen in it
``world``      the shop, its catalogue, its customers and the processes that work in it
``clock``      the time, which moves only when the simulation says so
``death``      processes that die before a statement or before a commit callback
``providers``  payment providers with books of their own
``actors``     customers and staff
``callers``    the same by the API, with keys
``jobs``       periodic jobs, at odd times and cut short
``books``      what must be true when nothing happens any more
``story``      the log of a life in plain words
``shrink``     the shortest life that still shows a fault
``guards``     guards of the shop that can be switched off, to show that the simulation finds them missing
"""
