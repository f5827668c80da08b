"""ImageSet: labelled images of one size in memory, with a class-disjoint split. Every loader returns one."""

import io
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bon_core.config import InputError

TRAIN, TEST, VALIDATION = 0, 1, 2
SPLIT_NAMES = ("train", "test", "validation")
