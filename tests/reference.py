"""Slow, obvious twins of the fast paths: dictionaries and loops, no tensors."""


class SlowBucketTable:
    """Twin of `bon_core.mining.buckets.BucketTable`: one list of slots a bucket, None where free."""

    PROBES = 8

    def __init__(self, bits, capacity):
        self.capacity = capacity
        self.slots = {code: [None] * capacity for code in range(2**bits)}
        self.head = dict.fromkeys(self.slots, 0)
        self.codes = {}

    def bucket(self, code):
        """Ids in a bucket, ascending."""
        return sorted(sample for sample in self.slots[code] if sample is not None)

    def insert(self, ids, codes):
        latest = dict(zip(ids, codes, strict=True))  # of equal ids the last counts
        newcomers = {code: [] for code in self.slots}
        for sample, code in sorted(latest.items()):
            self._remove(sample)
            newcomers[code].append(sample)
            self.codes[sample] = code
        for code, samples in newcomers.items():
            self._enter(code, samples[: self.capacity])

    def _remove(self, sample):
        for slots in self.slots.values():
            if sample in slots:
                slots[slots.index(sample)] = None

    def _enter(self, code, samples):
        slots, head, stride = self.slots[code], self.head[code], max(len(samples), self.capacity // self.PROBES)
        for number, sample in enumerate(samples):
            steps = [number + stride * probe for probe in range(self.PROBES)]
            tries = [(head + step) % self.capacity for step in steps if step < self.capacity]
            free = [slot for slot in tries if slots[slot] is None]
            slots[free[0] if free else tries[0]] = sample
        self.head[code] = (head + len(samples)) % self.capacity


def slow_negatives(slow, labels, anchor, reach):
    """Samples of other classes in the anchor's bucket, and in those with one of the first `reach` bits flipped."""
    code = slow.codes.get(anchor)
    if code is None:
        return set()
    near = [code] + [code ^ (1 << bit) for bit in range(reach)]
    return {sample for c in near for sample in slow.bucket(c) if labels[sample] != labels[anchor]}
