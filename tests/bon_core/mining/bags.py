"""Bags for the tests: of embeddings drawn around classes and families, or with codes that are given."""

import pytest
import torch

from bon_core.mining import BagOfNegatives


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def clusters(classes=600, images=5, dim=32, families=60, noise=0.5, seed=0):
    """Labels and unit embeddings: images around classes, classes around families, all away from the origin."""
    draws = generator(seed)
    spread = torch.arange(1, dim + 1) ** -0.5
    family = torch.randn(families, dim, generator=draws)[torch.arange(classes) % families]
    centres = family + 0.7 * torch.randn(classes, dim, generator=draws)
    labels = torch.arange(classes).repeat_interleave(images)
    vectors = (centres[labels] + noise * torch.randn(len(labels), dim, generator=draws)) * spread + 0.2
    return labels, torch.nn.functional.normalize(vectors)


def coded_bag(labels, given_codes, **settings):
    """A bag whose table holds these codes, -1 for samples not seen."""
    bag = BagOfNegatives(torch.tensor(labels), dim=4, **settings)
    given_codes = torch.tensor(given_codes)
    seen = (given_codes >= 0).nonzero()[:, 0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bag.hasher, "codes", lambda vectors: given_codes[seen])
        bag.rehash(seen, torch.ones(len(seen), 4))
    return bag


def train(bag, vectors, steps, **shape):
    for _ in range(steps):
        ids = bag.compose(**shape)
        bag.update(ids, vectors[ids])
