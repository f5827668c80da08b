"""The phases of a training, as pages colour and word them."""

from app import theme

PHASES = {"joint": theme.CONTEXT, "split": theme.ORANGE, "clustered": theme.SKY, "conquer": theme.GREEN}
PHASE_WORDS = {
    "joint": "warm-up: one embedding, all data",
    "split": "split: a slice and a cluster each",
    "clustered": "whole embedding, one cluster",
    "conquer": "conquer: everything together",
}
