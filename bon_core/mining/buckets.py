"""Hash table of sample ids on the device: 2^S buckets of C slots, written a batch at a time.

A sample is in the table while its `position` and the slot there name each other. Whoever moves or is overwritten just
stops being named: nothing is ever searched for or shifted, and a write costs the same at any N.

The id N means nobody and the code 2^S nowhere. Both have places of their own at the end of the arrays, so that rows
without effect flow through the same fixed shapes as all others.

Legend: N samples, B batch, S bits, C capacity.
"""

import torch
from torch import Tensor

from bon_core.config import InputError

PROBES = 8  # slots that a new entry looks at before it overwrites a live one
MAX_SLOTS = 2**31 - 1


class BucketTable:
    """Which samples are in which bucket, in (4 C 2^S + 8 N) bytes.

    Parameters
    ----------
    count : N; ids are 0..N-1
    bits : S; codes are 0..2^S-1
    capacity : C, slots of a bucket

    Attributes
    ----------
    codes : (N + 1,) int32, the latest code of each sample; -1 where none is known

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
        rows = (1 << bits) + 1
        self._lost = rows * capacity  # the position of those not in the table: a slot outside every bucket
        self._slots = torch.full((rows * capacity + 1,), count, dtype=torch.int32, device=device)
        self._position = torch.full((count + 1,), self._lost, dtype=torch.int32, device=device)
        self._head = torch.zeros(rows, dtype=torch.int32, device=device)  # the slot of each bucket to write next
        self.codes = torch.full((count + 1,), -1, dtype=torch.int32, device=device)
        self._rows = self._slots[:-1].view(rows, capacity)
        self._columns = torch.arange(capacity, device=device)
        self._probes = torch.arange(PROBES, device=device)

    def insert(self, ids: Tensor, codes: Tensor) -> None:
        """Give each of `ids` (B,) int64 its new code (B,) int64; where an id repeats, its last row counts.

        All leave their old slots, then enter their buckets in order of id: of g newcomers to one, number r looks at
        slots r, r + t, r + 2t, ... behind the ring's head, with t = max(g, C // 8), and takes the first free of up to
        8, or overwrites slot r. The head then moves on by g. Of more newcomers than capacity the first C enter.
        """
        ids, rows = ids.sort(stable=True)
        again = torch.zeros_like(ids, dtype=torch.bool)
        torch.eq(ids[:-1], ids[1:], out=again[:-1])
        ids = torch.where(again, self.nobody, ids)
        self._position.index_fill_(0, ids, self._lost)

        codes = torch.where(ids == self.nobody, self.nowhere, codes.take(rows))
        codes, rows = codes.sort(stable=True)
        ids = ids.take(rows)
        slots = self._free_slots(codes)
        self._slots.scatter_(0, slots, ids.int())
        self._position.scatter_(0, ids, slots.int())
        self.codes.scatter_(0, ids, codes.int())
        self._slots[self._lost] = self.nobody  # repair what rows without effect have written
        self._position[self.nobody] = self._lost
        self.codes[self.nobody] = -1

    def _free_slots(self, codes: Tensor) -> Tensor:
        """Distinct slots (B,) int64 for newcomers to the sorted `codes` (B,); the lost slot for those beyond C."""
        first = torch.searchsorted(codes, codes)
        newcomers = (torch.searchsorted(codes, codes, right=True) - first).clamp_max_(self.capacity)
        number = torch.arange(len(codes), device=codes.device) - first
        head = self._head.take(codes)
        stride = newcomers.clamp_min(self.capacity // PROBES)
        steps = number[:, None] + stride[:, None] * self._probes  # (B, PROBES)
        slots = (head[:, None] + steps).remainder_(self.capacity) + (codes * self.capacity)[:, None]
        free = (self._position.take(self._slots.take(slots).long()) != slots).logical_and_(steps < self.capacity)
        slots = slots.gather(1, free.to(torch.uint8).argmax(1, keepdim=True))[:, 0]  # the first free, else the first
        self._head.scatter_(0, codes, (head + newcomers).remainder_(self.capacity).int())
        return torch.where(number < self.capacity, slots, self._lost)

    def read(self, codes: Tensor) -> Tensor:
        """Ids (..., C) int64 in the buckets `codes` (...), slot by slot; N where a slot is free, or the code is -1."""
        entries = self._rows[codes].long()
        live = self._position.take(entries) == codes[..., None] * self.capacity + self._columns
        return torch.where(live, entries, self.nobody)

    def holds(self, ids: Tensor) -> Tensor:
        """Which of `ids` (...) are in the table, (...) bool."""
        return self._slots.take(self._position.take(ids).long()) == ids

    def state_dict(self) -> dict[str, Tensor]:
        return {name: tensor.clone() for name, tensor in self._tensors().items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        for name, tensor in self._tensors().items():
            tensor.copy_(state[name])

    def _tensors(self) -> dict[str, Tensor]:
        return {"slots": self._slots, "position": self._position, "head": self._head, "codes": self.codes}
