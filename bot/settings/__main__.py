"""`python -m bot.settings [PAGE]` writes what is made from the models of settings and policy to standard output.

Pages: `configuration` (docs/configuration.md, the default), `policy` (docs/policy.md), `roles` (docs/roles.md),
`policy-schema`, `miso-schema` and `trust-schema` (`config/schemas/`). Tests hold the files current.
"""

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

from bot.domain import policy_file, repository_config, trust_file
from bot.settings import policy_page, roles_page
from bot.settings.table import markdown


def _schema(made: Callable[[], dict[str, Any]]) -> Callable[[], str]:
    return lambda: json.dumps(made(), indent=2, ensure_ascii=False) + "\n"


PAGES: Mapping[str, Callable[[], str]] = {
    "configuration": markdown,
    "policy": policy_page.markdown,
    "roles": roles_page.markdown,
    "policy-schema": _schema(policy_file.schema),
    "miso-schema": _schema(repository_config.schema),
    "trust-schema": _schema(trust_file.schema),
}

if __name__ == "__main__":
    page = PAGES.get(sys.argv[1] if len(sys.argv) > 1 else "configuration")
    if page is None:
        sys.exit(f"there are {', '.join(PAGES)}")
    sys.stdout.write(page())
