"""What Azure Resource Manager itself knows: whether the environment's resource group can be seen with our identity.

Used by `bot.azure.window` for `miso doctor`. Reads only.
"""

from __future__ import annotations

import json
from typing import Any

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.core.rest import HttpRequest
from azure.mgmt.core.exceptions import ARMErrorFormat

from bot.azure.transport import Clients
from bot.domain.model import Environment

API_VERSION = "2024-07-01"
"""https://learn.microsoft.com/rest/api/resources/resource-groups/get"""


async def resource_group(clients: Clients, environment: Environment, request_id: str) -> dict[str, Any]:
    """The resource group as ARM answers it. Raises `HttpResponseError` for anything but 200."""
    path = f"/subscriptions/{environment.subscription_id}/resourceGroups/{environment.resource_group}"
    url = f"{clients.arm_url}{path}"
    request = HttpRequest("GET", url, params={"api-version": API_VERSION}, headers={"Accept": "application/json"})
    response = await clients.arm(environment).send_request(request, request_id=request_id)
    await response.read()
    if response.status_code == 401:
        raise ClientAuthenticationError(response=response, error_format=ARMErrorFormat)
    if response.status_code != 200:
        raise HttpResponseError(response=response, error_format=ARMErrorFormat)
    found: dict[str, Any] = json.loads(response.text())
    return found
