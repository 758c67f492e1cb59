"""The shortest life that still shows a fault."""

from __future__ import annotations

from dataclasses import replace

from simulation import life
from simulation.life import Outcome
from simulation.plan import Plan


def shrink(plan: Plan, kind: str, *, most: int = 400) -> Outcome:
    """Drop steps, then troubles, then what goes wrong in single steps, as long as a fault of this kind remains."""
    search = _Search(plan, kind, most)
    search.drop_steps()
    for trouble in sorted(search.best.plan.troubles):
        search.keeps(search.best.plan.without(trouble))
    for index, step in enumerate(search.best.plan.steps):
        steps = search.best.plan.steps
        search.keeps(search.best.plan.having(steps=(*steps[:index], replace(step, is_calm=True), *steps[index + 1 :])))
    search.drop_steps()
    return search.best


class _Search:
    def __init__(self, plan: Plan, kind: str, most: int) -> None:
        self.kind, self.left = kind, most
        self.best = life.play(plan)
        if kind not in self.best.faults:
            raise ValueError(f"Seed {plan.seed} does not show “{kind}” again.")

    def keeps(self, plan: Plan) -> bool:
        """Whether a simpler plan shows the fault too; then it is the best so far."""
        if self.left <= 0 or plan == self.best.plan:
            return False
        self.left -= 1
        outcome = life.play(plan)
        if self.kind not in outcome.faults:
            return False
        self.best = outcome
        return True

    def drop_steps(self) -> None:
        size = max(1, len(self.best.plan.steps) // 2)
        while size:
            start, dropped = 0, False
            while start < len(self.best.plan.steps):
                steps = self.best.plan.steps
                if self.keeps(self.best.plan.having(steps=steps[:start] + steps[start + size :])):
                    dropped = True
                else:
                    start += size
            size = size if dropped and size == 1 else size // 2
