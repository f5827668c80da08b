"""The parts of Mined negatives: a file each, with `show`."""
