"""Payment providers with books of their own, behind the shop's real extension point."""

from simulation.providers.service import SERVICES, Deal, Letter, Return, Service
from simulation.providers.ways import KINDS

__all__ = ["KINDS", "SERVICES", "Deal", "Letter", "Return", "Service"]
