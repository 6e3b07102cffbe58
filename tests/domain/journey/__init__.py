"""Releases on their way over three stages, in a world small enough to be tried in every order.

`world` is the outside, `ledger` the journal with its projections, `verbs` play the services over the real decisions,
`books` is an observer with a bookkeeping of its own, `machine` lets people, time and faults act in any order.
"""
