"""Hash table of sample ids on the device: 2^S buckets of C slots, written a batch at a time.

`position` names the slot that each sample entered last, and so its code. The sample is in the table while the slot
names it back. Whoever enters anew frees its old slot first: every sample that a slot names is in the table, a bucket is
read without a second look, and a write costs the same at any N.

The id N means nobody and the code 2^S nowhere. Both have places of their own at the end of the arrays, so that rows
without effect flow through the same fixed shapes as all others.

Legend: N samples, B batch, S bits, C capacity.
"""

import math

import torch
from torch import Tensor

from bon_core.config import InputError

PROBED_SLOTS = (
    8  # slots that a new entry looks at before it overwrites a live one; side by side, so that it costs one read
)
MAX_SLOTS = 2**31 - 1


class BucketTable:
    """Which samples are in which bucket, in (4 C + 8) 2^S + 8 N bytes.

    Parameters
    ----------
    count : N; ids are 0..N-1
    bits : S; codes are 0..2^S-1
    capacity : C, slots of a bucket

    Raises
    ------
    InputError
        If 2^S buckets of C slots cannot be addressed by 32 bits.
    """

    def __init__(self, count: int, bits: int, capacity: int, device: torch.device | str = "cpu"):
        if not 1 <= bits <= 30 or ((1 << bits) + 1) * capacity >= MAX_SLOTS:
            raise InputError(
                f"A table of {bits} bits and capacity {capacity} is not possible: bits go from 1 to 30, and 2^bits *"
                f" capacity must stay below {MAX_SLOTS:,} slots; lower bits or capacity, or leave both out."
            )
        if capacity < 1:
            raise InputError(
                f"The bucket capacity is {capacity}, but must be 1 or more; leave it out to choose by size."
            )
        self.count, self.bits, self.capacity = count, bits, capacity
        self.nobody, self.nowhere = count, 1 << bits
        rows, block = (1 << bits) + 1, math.gcd(capacity, PROBED_SLOTS)
        self._slots = torch.full((rows * capacity,), count, dtype=torch.int32, device=device)
        self._position = torch.full((count + 1,), -1, device=device)
        self._entered = torch.zeros(rows, dtype=torch.int64, device=device)  # how many, in each bucket, so far
        self._buckets, self._blocks = self._slots.view(rows, capacity), self._slots.view(-1, block)
        self._of_nobody = self._position[count:]
        # Next to a tensor on the device, a Python number makes an operation half as dear again.
        self._block, self._ring = torch.tensor(block, device=device), torch.tensor(capacity // block, device=device)
        self._none = torch.tensor(count, dtype=torch.int32, device=device)
        self._lost = torch.tensor(self.nowhere * capacity, device=device)  # a slot that is nobody's for ever

    def insert(self, ids: Tensor, codes: Tensor) -> Tensor:
        """Give each of `ids` (B,) int64 its new code (B,) int64; gives the codes that they had before, -1 for none.

        All leave their old slots, then enter their buckets in order of row. A bucket is a ring of n blocks of up to 8
        slots. Its entry number t, counted from the very first, looks at block t mod n and takes the first free slot,
        or else overwrites slot t // n mod 8, so that a full bucket loses its oldest. Of two newcomers of one batch to
        one block the later takes the slot behind the earlier's. Beyond C newcomers to a bucket two may want one slot:
        the lower id gets it. An id that repeats stays in its highest slot only. Rows without effect are given as the
        id N with the code 2^S.
        """
        before = self._position.index_select(0, ids)
        in_table = self._slots.take(before) == ids
        self._slots.index_fill_(0, torch.where(in_table, before, self._lost), self.nobody)

        codes, row = codes.sort(stable=True)
        ids, slots = ids.index_select(0, row), self._find_slots(codes)
        self._position.scatter_reduce_(0, ids, slots, "amax", include_self=False)
        stays = self._position.index_select(0, ids) == slots
        entries = torch.where(stays, ids.int(), self._none)
        self._slots.scatter_reduce_(0, slots, entries, "amin", include_self=False)
        self._of_nobody.fill_(-1)
        return before.div_(self.capacity, rounding_mode="floor")

    def _find_slots(self, codes: Tensor) -> Tensor:
        """Slot (B,) for each newcomer to the sorted `codes` (B,); the first C of a bucket are distinct."""
        number = torch.arange(len(codes), device=codes.device) - torch.searchsorted(codes, codes)  # in its bucket
        turn = self._entered.index_select(0, codes) + number
        self._entered.index_add_(0, codes, torch.ones_like(codes))
        block = torch.addcmul(turn % self._ring, codes, self._ring)
        entry, free = self._blocks.index_select(0, block).max(1)  # nobody, the largest id, where a slot is free
        slot = torch.where(entry == self._none, free + number // self._ring, turn // self._ring)
        return torch.addcmul(slot % self._block, block, self._block)

    def codes_of(self, ids: Tensor) -> Tensor:
        """The latest codes (...) int64 of `ids` (...), -1 where none is known."""
        return self._position.take(ids).div_(self.capacity, rounding_mode="floor")

    def read(self, codes: Tensor) -> Tensor:
        """Ids (..., C) int64 in the buckets `codes` (...), slot by slot; N where a slot is free, or the code is -1."""
        return self._buckets[codes].long()  # the last row is nowhere's

    def holds(self, ids: Tensor) -> Tensor:
        """Which of `ids` (...) are in the table, (...) bool."""
        return self._slots.take(self._position.take(ids)) == ids

    def state_dict(self) -> dict[str, Tensor]:
        return {name: tensor.clone() for name, tensor in self._tensors().items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        for name, tensor in self._tensors().items():
            tensor.copy_(state[name])

    def _tensors(self) -> dict[str, Tensor]:
        return {"slots": self._slots, "position": self._position, "entered": self._entered}
