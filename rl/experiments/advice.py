"""What a run's rows say of how it used its machine, in a line at its end; silence where nothing is
clear."""

from typing import Any, Mapping, Sequence

# A shorter run has spent its time on compiling.
SHORTEST = 60.0  # seconds
# Shares of the time from which a part is worth a word.
MOST = {"TimeUpdate": 0.7, "TimeEnv": 0.5, "TimeAct": 0.5, "TimeTest": 0.5, "TimeCheckpoint": 0.25}
# A faster env costs less here than the message to a worker.
SLOW_STEP = 1e-4  # seconds
GROWTH = 2e3  # MB, of memory that has also doubled
BUSY = 0.8  # share of the cores in use from which more of them would help
NUMBERS = (8, 4, 2)  # of envs that may be advised

History = Mapping[str, Sequence[float]]
Flags = Mapping[str, Any]


def advice(
    history: History, flags: Flags, num_envs: int, cores: int, is_single: bool = False
) -> str:
    """One line, or "".

    Args:
      history: the columns of the run's rows.
      flags: the values of all its flags; no flag is named that they don't have.
      num_envs: of all tasks together. cores: that this process may use.
      is_single: whether its env is one that was handed over, of which there can't be more.
    """
    if not history or history["Time"][-1] < SHORTEST:
        return ""
    more = _more_envs(flags, cores) if num_envs == 1 and not is_single else 0
    has_workers = flags["env_backend"] != "sync"
    can_have_workers = cores > 1 and not has_workers and (more > 0 or num_envs > 1)
    parts = [_slowest(history, cores, more, can_have_workers), _memory(history, flags)]
    return "; ".join(part for part in parts if part)


def _slowest(history: History, cores: int, more_envs: int, can_have_workers: bool) -> str:
    """What took most of the time, if it took much of it, and what would help.

    Args:
      more_envs: how many to try in place of one; 0: no other number.
      can_have_workers: whether envs may go to worker processes and haven't yet.
    """
    spent = {name: sum(column) for name, column in history.items() if _is_part(name)}
    total = sum(spent.values())
    shares = {name: spent[name] / total for name in MOST if name in spent}
    slowest = max(shares, key=lambda name: shares[name] / MOST[name])
    if shares[slowest] < MOST[slowest]:
        return ""
    share = f"took {shares[slowest]:.0%} of the time"
    if slowest == "TimeUpdate":
        used = _mean_cores(history)
        more_cores = "more cores, " if used >= BUSY * cores else ""
        return (
            f"updates {share}, on {used:.1f} of {cores} cores: more envs would not help; "
            f"{more_cores}smaller --hidden_sizes or a smaller --batch_size would"
        )
    if slowest == "TimeTest":
        return f"tests {share}: fewer --num_test_episodes would help"
    if slowest == "TimeCheckpoint":
        return f"checkpoints {share}: a larger --save_freq would help"
    if slowest == "TimeAct":
        one_by_one = f"acting {share}, for one env at a time: try --num_envs {more_envs}"
        return one_by_one if more_envs else ""
    number = f"--num_envs {more_envs} " if more_envs else ""
    is_slow = spent["TimeEnv"] / history["TotalEnvInteracts"][-1] >= SLOW_STEP
    in_workers = f"envs {share}: try {number}--env_backend async"
    return in_workers if is_slow and can_have_workers else ""


def _is_part(name: str) -> bool:
    """Whether a column has the seconds of a part of the run."""
    return name.startswith("Time") and name != "Time"


def _mean_cores(history: History) -> float:
    """Cores in use on average. A row's seconds are those since the row before."""
    seconds = 0.0
    used = 0.0
    before = 0.0
    for when, cores in zip(history["Time"], history["CPU"]):
        seconds += when - before
        used += cores * (when - before)
        before = when
    return used / seconds


def _more_envs(flags: Flags, cores: int) -> int:
    """How many envs to try in place of one; 0 where the run's lengths don't allow more."""
    total = flags["epochs"] * flags["steps_per_epoch"]
    for number in NUMBERS:
        fits = flags["steps_per_epoch"] % number == 0
        if "rollout_steps" in flags:
            fits = fits and flags["rollout_steps"] * number <= total
        if fits and number <= 2 * cores:
            return number
    return 0


def _memory(history: History, flags: Flags) -> str:
    """Whether memory grew by much."""
    first = history["MemoryMB"][0]
    last = history["MemoryMB"][-1]
    if last < 2 * first or last < first + GROWTH:
        return ""
    text = f"memory grew from {first / 1e3:.1f} to {last / 1e3:.1f} GB"
    return f"{text}, with the replay up to --replay_size" if "replay_size" in flags else text
