"""What storage has of each transition."""

from rl.spec import EnvSpec, Field

NUMBER = Field()  # one for each transition


def transition_fields(spec: EnvSpec) -> dict[str, Field]:
    """The fields of a transition; `end` is 1 where its trajectory ends, whatever ends it."""
    return {
        "obs": spec.obs,
        "act": spec.act,
        "rew": NUMBER,
        "obs2": spec.obs,
        "done": NUMBER,
        "end": NUMBER,
    }
