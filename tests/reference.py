"""Slow, obvious twins of the fast paths: dictionaries and loops, no tensors."""

from math import gcd


class SlowBucketTable:
    """Twin of `bon_core.mining.buckets.BucketTable`: one list of slots a bucket, None where free."""

    def __init__(self, bits, capacity):
        self.block = gcd(capacity, 8)
        self.ring = capacity // self.block
        self.slots = {code: [None] * capacity for code in range(2**bits)}
        self.entered = dict.fromkeys(self.slots, 0)  # how many, so far
        self.codes = {}

    def bucket(self, code):
        """Ids in a bucket, ascending."""
        return sorted(sample for sample in self.slots[code] if sample is not None)

    def insert(self, ids, codes):
        for sample in ids:
            self._remove(sample)
        entries = []
        for code in self.slots:
            newcomers = [sample for sample, its_code in zip(ids, codes, strict=True) if its_code == code]
            entries += [(code, self._place(code, number), sample) for number, sample in enumerate(newcomers)]
            self.entered[code] += len(newcomers)
        highest = {sample: (code, slot) for code, slot, sample in sorted(entries)}  # where an id repeats
        self.codes |= {sample: code for sample, (code, _) in highest.items()}
        writers = {}
        for code, slot, sample in entries:
            writers.setdefault((code, slot), []).append(sample if highest[sample] == (code, slot) else None)
        for (code, slot), samples in writers.items():
            self.slots[code][slot] = min((sample for sample in samples if sample is not None), default=None)

    def _remove(self, sample):
        for slots in self.slots.values():
            if sample in slots:
                slots[slots.index(sample)] = None

    def _place(self, code, number):
        """Slot for the newcomer of this number; nobody of the batch has entered yet."""
        lap, block = divmod(self.entered[code] + number, self.ring)
        start = block * self.block
        free = [place for place in range(self.block) if self.slots[code][start + place] is None]
        place = free[0] + number // self.ring if free else lap
        return start + place % self.block


def slow_negatives(slow, labels, anchor, reach):
    """Samples of other classes in the anchor's bucket, and in those with one of the first `reach` bits flipped."""
    code = slow.codes.get(anchor)
    if code is None:
        return set()
    near = [code] + [code ^ (1 << bit) for bit in range(reach)]
    return {sample for c in near for sample in slow.bucket(c) if labels[sample] != labels[anchor]}
