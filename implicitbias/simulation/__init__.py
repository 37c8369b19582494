"""Simulation: batch orders, step sizes, tail arithmetic, the block driver."""
