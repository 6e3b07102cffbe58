"""Hostile requests at every door but the webhook's: how each is made, what it is answered, and what the ledger tells.

The subject tokens themselves stand in `subjects` and `jobs`. Where a row says `None` for the ledger, only the log
knows: the request was turned away before anything was believed of it, and a flood of such must cost no rows.
"""

from __future__ import annotations

from tests.hostile.bearers import BEARERS, INSPECTIONS, RIGHTS
from tests.hostile.browsers import BROWSERS
from tests.hostile.exchanges import EXCHANGES, FORMS

REQUESTS = (*EXCHANGES, *FORMS, *BEARERS, *RIGHTS, *INSPECTIONS, *BROWSERS)
