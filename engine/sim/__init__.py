"""The deterministic simulator: the whole engine unchanged, its world made of seeds.

One seed draws its own faults and rates (`faults`), the world (`world`) runs engine, operator and
exchange on one virtual loop, crashes and restarts the engine, and `invariants` are judged as it goes.
A safety phase, in which anything may fail and nothing wrong may happen, is followed by a liveness
phase: the faults stop, and all must settle.
"""
