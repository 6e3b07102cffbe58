"""`make bench`: how fast Miso is, as ratios measured in one run on one machine. Nothing here is a test with a clock.

Every server and every load generator is a process of its own; this package only arranges them, and writes
`docs/benchmarks.md`. Loopback only.
"""
