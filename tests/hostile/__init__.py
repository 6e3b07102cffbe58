"""Tokens and requests by somebody who wants in. Tables first: one row, one trick, the code that it must get."""
