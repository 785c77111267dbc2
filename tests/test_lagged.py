"""Evidence by blocks: its numbers by hand, and when a copy splits."""

import numpy as np
import pytest
import tensorflow as tf

from rl.networks.banks import Bank
from rl.splitting import Config
from rl.splitting.lagged import Agreement, BlockMemory, LaggedEvidence, contrasts, gain, restricted
from rl.splitting.slots import Slot

TASKS = 2


def make_bank(size, tasks=TASKS):
    copy = tf.Variable(tf.zeros(tasks, tf.int32), trainable=False)
    return Bank(tf.Variable(tf.zeros((tasks, size))), 0, tasks, copy)


def make_evidence(tasks=TASKS, **flags):
    return LaggedEvidence(Config(**flags), [[make_bank(2, tasks)]], tasks)


def observe(memory, *gradients, present=None):
    """An update's gradients of one bank, `(num_tasks, size)`."""
    present = present or [1.0] * len(gradients)
    bank = memory.regions[0][0][0]
    memory.observe([[(bank, tf.constant(gradients))]], tf.constant(present))


def test_agreement_with_earlier_blocks_by_hand():
    """S is (1, 0) and (0, 1) before the second block, whose means are (3, 0) and (1, 1); then
    (3.5, 0) and (1, 1.5)."""
    memory = BlockMemory([[make_bank(2)]], TASKS, decay=0.5)
    observe(memory, [1.0, 0.0], [0.0, 1.0])
    first = memory.end_block()
    assert not first.known.any() and not first.products.any() and not first.weights.any()
    observe(memory, [2.0, 0.0], [1.0, 1.0])
    observe(memory, [4.0, 0.0], [1.0, 1.0])
    second = memory.end_block()
    np.testing.assert_allclose(second.products, [[[3, 0.5], [0.5, 1]]])
    np.testing.assert_allclose(second.weights, [[1, 1], [1, 1]])
    assert second.known.all()
    observe(memory, [1.0, 1.0], [0.0, 0.0], present=[1.0, 0.0])
    third = memory.end_block()
    np.testing.assert_allclose(third.products, [[[3.5, 0], [0, 0]]])
    np.testing.assert_allclose(third.weights, [[1.5, 0], [0, 0]])
    assert third.known.tolist() == [True, False]
    np.testing.assert_allclose(memory.weight, [1.75, 1.5])


def test_evidence_by_hand():
    """The first block only chooses the contrast, the next two have x = 3 and x = -2."""
    evidence = make_evidence()
    maps = np.zeros((1, TASKS), int)
    known = np.ones(TASKS, bool)
    for products in ([[4, 1], [1, 2]], [[3, 1], [1, 2]], [[1, 2], [2, 1]]):
        evidence.count_in(Agreement(np.array([products], float), np.ones((2, 2)), known), maps)
    np.testing.assert_allclose(evidence.contrast, [[1, -1]])
    np.testing.assert_allclose(evidence.evidence, [[0.98 * 3 - 2] * 2], rtol=1e-6)
    np.testing.assert_allclose(evidence.squares, [[0.98**2 * 9 + 4] * 2], rtol=1e-6)
    np.testing.assert_allclose(evidence.blocks, [[2, 2]])
    weight = 0.98**2 + 0.98 + 1
    mean = (0.98**2 * 4 + 0.98 * 3 + 1) / weight
    np.testing.assert_allclose(evidence.means()[0, 0, 0], mean, rtol=1e-6)


def test_tasks_that_were_absent_are_left_out_of_the_contrast():
    together = np.ones((1, 4, 4), bool)
    v = np.array([[0.5, 0.5, -0.5, -0.5]])
    all_but_first = np.array([False, True, True, True])
    np.testing.assert_allclose(restricted(v, all_but_first, together), [[0, 1, -0.5, -0.5]])
    no_second_side = np.array([True, True, False, False])
    np.testing.assert_allclose(restricted(v, no_second_side, together), [[0, 0, 0, 0]])


def test_contrasts_by_hand():
    """Gradients (2, 0), (1, 0), (-1, 0), (0, 3): of one copy 2 and 3 part from each other at 10, 0
    and 3 at 13, so that 1 and 2 go with 0; of two copies the pairs part."""
    gradients = np.array([[2.0, 0], [1, 0], [-1, 0], [0, 3]])
    means = np.tile(gradients @ gradients.T, (2, 1, 1))
    seen = np.ones((4, 4), bool)
    v = contrasts(means, seen, np.array([[0, 0, 0, 0], [0, 1, 1, 0]]))
    np.testing.assert_allclose(v, [[1 / 3, 1 / 3, 1 / 3, -1], [1, 1, -1, -1]])
    alone = contrasts(means[:1], seen, np.array([[0, 1, 2, 3]]))
    assert not alone.any()
    seen[0, 3] = seen[3, 0] = False
    v = contrasts(means[:1], seen, np.array([[0, 0, 0, 0]]))
    np.testing.assert_allclose(v, [[1 / 3, 1 / 3, 1 / 3, -1]])  # 1 and 3, and 2 and 3, are 10 apart


def test_gain_by_hand():
    """Two tasks of length 1 at a right angle, noise of 8 in each: 1 / 3 apart, 2 / sqrt(18) as
    one."""
    means = np.eye(2)
    gram = 9 * np.eye(2)
    assert gain(means, gram, np.array([True, False])) == pytest.approx(1 / 3)
    assert gain(means, gram, np.array([True, True])) == pytest.approx(2 / np.sqrt(18))


def settled(means, gram, blocks=20, **flags):
    """Proposals of a region of tasks whose blocks all agree by the same products."""
    tasks = len(means)
    evidence = make_evidence(tasks, **flags)
    maps = np.zeros((1, tasks), int)
    block = Agreement(np.array([means], float), np.ones((tasks, tasks)), np.ones(tasks, bool))
    for _ in range(blocks):
        evidence.count_in(block, maps)
    return evidence, list(evidence.proposals(maps, np.array([gram], float)))


def test_a_split_needs_evidence_and_a_gain():
    """x is 2 in each of 19 blocks: z is near sqrt(19)."""
    apart = [[1.0, 0.0], [0.0, 1.0]]
    noise = 10 * np.eye(2)
    [proposal] = settled(apart, noise)[1]
    assert proposal.pair == (0, 1) and proposal.with_second.tolist() == [False, True]
    kept = 0.98 ** np.arange(19)
    assert proposal.score == pytest.approx(kept.sum() / np.sqrt((kept**2).sum()), rel=1e-5)
    assert not settled(apart, noise, split_z=5.0)[1]
    assert not settled(apart, noise, blocks=8)[1]  # the first has no contrast
    assert settled(apart, noise, blocks=9, split_z=2.0)[1]
    alike = [[1.0, 0.9], [0.9, 1.0]]  # surely different, but better off together
    assert not settled(alike, noise)[1]


def test_forgetting_a_copy_leaves_others_and_the_means():
    evidence, _ = settled(np.diag([1.0, 2.0, 3.0]), np.eye(3))
    means = evidence.means()
    evidence.forget(0, np.array([True, False, True]))
    assert evidence.blocks.tolist() == [[0, 19, 0]]
    assert (evidence.contrast != 0).tolist() == [[False, True, False]]
    np.testing.assert_array_equal(evidence.means(), means)


def test_identical_tasks_hardly_ever_reach_z():
    """Noise of mean 0 around one mean gradient, 200 blocks and a look at each: under exp(-z^2 / 2)
    times some, of 400 regions."""
    rng = np.random.default_rng(0)
    regions = 400
    size = 10
    tasks = 4
    banks = [[make_bank(size, tasks)] for _ in range(regions)]
    evidence = LaggedEvidence(Config(), banks, tasks)
    maps = np.zeros((regions, tasks), int)
    gram = np.tile(np.eye(tasks), (regions, 1, 1))
    earlier = np.zeros((regions, tasks, size))
    weight = 0.0
    split = set()
    for _ in range(200):
        now = 0.3 + rng.normal(size=(regions, tasks, size))
        products = np.einsum("rik,rjk->rij", earlier, now)
        products = (products + products.transpose(0, 2, 1)) / 2
        known = np.full(tasks, weight > 0)
        evidence.count_in(Agreement(products, np.full((tasks, tasks), weight), known), maps)
        split |= {proposal.region for proposal in evidence.proposals(maps, gram)}
        earlier = 0.96 * earlier + now
        weight = 0.96 * weight + 1
    assert len(split) < 0.05 * regions


def test_what_is_left_of_an_optimisers_averages():
    """Two of four tasks: half of a mean; of a mean square what |sum of gradients|^2 is, 4 of 10,
    and at least a quarter."""
    gram = np.array([[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 1, 1], [0, 0, 1, 1]], float)
    some = np.array([True, True, False, False])
    everyone = np.ones(4, bool)
    assert Slot(None, 1).share(gram, some, everyone) == 0.5
    assert Slot(None, 2).share(gram, some, everyone) == pytest.approx(4 / 10)
    assert Slot(None, 2).share(np.ones((4, 4)), some, everyone) == 0.25
    assert Slot(None, 2).share(np.zeros((4, 4)), some, everyone) == 0.5
    assert Slot(None, 0).share(gram, some, everyone) == 1
