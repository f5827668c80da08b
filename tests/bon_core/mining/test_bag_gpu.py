import pytest
import torch

from bon_core.mining import BagOfNegatives
from tests.bon_core.mining.bags import clusters, generator
from tests.reference import SlowBucketTable

gpu = pytest.mark.gpu
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")


@gpu
@needs_cuda
def test_cpu_and_gpu_do_the_same_with_the_same_generator():
    labels, vectors = clusters()
    host, device = BagOfNegatives(labels, dim=32), BagOfNegatives(labels, dim=32, device="cuda")
    device.generator = generator()
    host.generator.manual_seed(0)
    device.hasher.load_state_dict(host.hasher.state_dict())
    host.rehash(torch.arange(len(labels)), vectors)
    device.table.load_state_dict(host.table.state_dict())  # rounding may turn a sign, so start from the same codes
    for _ in range(10):
        assert torch.equal(host.compose(), device.compose().cpu())
        for one, other in zip(host.negatives(torch.arange(64)), device.negatives(torch.arange(64)), strict=True):
            assert torch.equal(one, other.cpu())
    device.hasher.load_state_dict(host.hasher.state_dict())
    same = host.hasher.codes(vectors) == device.hasher.codes(vectors.cuda()).cpu()
    assert same.float().mean() > 0.999


@gpu
@needs_cuda
def test_a_step_never_waits_for_the_gpu_and_bad_rows_are_left_out():
    labels, vectors = clusters()
    vectors = vectors.cuda()
    bag = BagOfNegatives(labels, dim=32, device="cuda")
    bag.compose()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(3):
            ids = bag.compose()
            bag.update(ids, vectors[ids])
            bag.negatives(ids)
        before = bag.codes
        bag.update(torch.full_like(ids, 7), torch.full_like(vectors[ids], torch.nan))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert torch.equal(bag.codes, before)
    assert bag.stats()["refused_rows"] == len(ids)


@gpu
@needs_cuda
def test_a_cuda_graph_of_a_step_goes_on_with_each_replay():
    """Each replay draws a batch of its own, and the table stays that of the dictionary of buckets."""
    labels, vectors = clusters(classes=100)
    labels, vectors = labels.cuda(), vectors.cuda()
    bag = BagOfNegatives(labels, dim=32, device="cuda")
    slow = SlowBucketTable(bag.table.bits, bag.table.capacity)
    batches = []

    def step():
        ids = bag.compose(16, 4, 4)
        bag.update(ids, vectors[ids])
        return ids

    def compare(ids):
        rows = labels[ids].view(16, 4)
        assert (rows == rows[:, :1]).all()
        assert len(rows[:, 0].unique()) == 16
        assert len(ids.unique()) == 64
        slow.insert(ids.tolist(), bag.codes[ids].tolist())
        assert [bag.bucket(code).tolist() for code in slow.slots] == [slow.bucket(code) for code in slow.slots]
        batches.append(tuple(ids.tolist()))

    aside = torch.cuda.Stream()  # where capturing wants the warm-up
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(3):
            compare(step())
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    graph.register_generator_state(bag.generator)
    before = bag.state_dict()
    with torch.cuda.graph(graph):
        ids = step()
    for name, tensor in bag.state_dict().items():
        assert name == "generator" or torch.equal(tensor, before[name]), name  # capturing alone does nothing
    for _ in range(60):
        graph.replay()
        compare(ids)
    compare(step())  # and one without the graph
    assert len(set(batches)) == len(batches)
    assert not torch.equal(bag.hasher.weight, before["hasher.weight"])
    assert bag.stats()["unserved_rate"] < 0.5
    assert bag.stats()["refused_rows"] == 0


@gpu
@needs_cuda
def test_a_hundred_million_samples_fit_and_run():
    count = 100_000_000
    labels = torch.arange(count, device="cuda") // 50
    used = torch.cuda.memory_allocated()
    bag = BagOfNegatives(labels, dim=32, device="cuda")
    vectors = torch.randn(4099, 32, device="cuda")
    for _ in range(20):
        ids = bag.compose()
        bag.update(ids, vectors[ids % 4099])
        classes = labels[ids].view(32, 4)
        assert (classes == classes[:, :1]).all()
        assert len(classes[:, 0].unique()) == 32
        codes = bag.table.codes_of(ids)
        assert torch.equal(codes, bag.codes[ids]) and (codes >= 0).all()
    assert (torch.cuda.memory_allocated() - used) / count <= 64
