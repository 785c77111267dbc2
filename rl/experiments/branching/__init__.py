"""Which layers tasks should share, by how alike the networks are that learned each task alone.

Branched multi-task networks, Vandenhende et al., 2020: https://arxiv.org/abs/1904.02920
Reference implementation: none is public.
All tasks' networks see the same probes, and after each hidden layer their features are compared by
representation similarity analysis. A tree of layers that branches towards the outputs is then
searched for which keeps tasks together whose features are alike. NumPy and SciPy only; which
probes and features these are is rl.experiments.branch's to say.
Differs from it:
1. networks are actors and critics, each with a tree of its own; probes are states that the tasks'
   policies visit, for critics of states and actions with the actions taken there;
2. on request up to FEW groups are put together in every way, not by spectral clustering alone: the
   search is then exact, and what it finds costs less, though it often parts a single task from all
   others, whose group of one costs nothing;
3. of the partial trees that have the same grouping those are dropped that have more parameters and
   cost more than another; the beam is of each number of groups, so that it always holds trees that
   save parameters;
4. the budget is of the parameters of all layers, output layers included, of which each task has
   one;
5. networks start with random weights, the same for all tasks with `--same_start`; there all start
   from one network that was trained before.
"""

from rl.experiments.branching.affinity import affinities
from rl.experiments.branching.groupings import FEW, count_groups
from rl.experiments.branching.trees import Tree, find_trees

__all__ = ["FEW", "Tree", "affinities", "count_groups", "find_trees"]
