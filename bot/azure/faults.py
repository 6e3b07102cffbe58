"""What the SDKs raise, as Miso's own errors: a stable code with its sentence from `bot.domain.messages`.

Used by `bot.azure.window` around everything. Judged by where an error came from and by its code, because a failed
long-running operation is raised with status 200. A provider's own text goes to the log, never into a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError, ServiceRequestError

from bot.domain.codes import Code
from bot.domain.messages import explain, refusal
from bot.errors import MisoError, Transient

AADSTS = re.compile(r"\bAADSTS(\d{4,8})\b")
ENTRA_BUSY = frozenset({"50166", "90033", "90055", "50196", "90006"})
"""Codes of Entra that pass by themselves: our issuer was not reached, too many requests, temporary trouble.
https://learn.microsoft.com/entra/identity-platform/reference-error-codes"""

# Lower case. Container instances: https://learn.microsoft.com/azure/container-instances/container-instances-troubleshooting
FORBIDDEN = frozenset({"authorizationfailed", "linkedauthorizationfailed", "requestdisallowedbypolicy", "forbidden"})
QUOTA = frozenset(
    {"containergroupquotareached", "quotaexceeded", "resourcequotaexceeded", "subscriptionisoverquotaforsku"}
)
BUSY = frozenset({"containergrouptransitioning", "anotheroperationinprogress", "operationinprogress", "retryableerror"})
IMAGE = frozenset(
    {"inaccessibleimage", "imagepullfailed", "invalidimage", "imagenotfound", "failedpullingimage", "osversionmismatch"}
)
IMAGE_LATER = frozenset({"registryerrorresponse"})
MISSING = frozenset(
    {"resourcegroupnotfound", "resourcenotfound", "parentresourcenotfound", "subscriptionnotfound", "notfound"}
)
MISSING_GROUP = frozenset({"resourcegroupnotfound", "subscriptionnotfound"})
"""What a 404 is about when it is not the resource itself."""
NO_ANSWER = frozenset({"expectationfailed"})
"""A swap was given up because the slot did not answer Azure's own warm-up."""


def transient(code: Code, *, unknown: bool = False, retry_after: float | None = None, **values: str | int) -> Transient:
    """A `Transient` with the code's own sentence."""
    sentence = explain(code, **values).sentence
    return Transient(code, sentence, retry_after=retry_after, outcome_unknown=unknown)


def error_code(fault: AzureError) -> str:
    """The provider's code, from the SDK's model or from App Service's capitals; empty when there is none."""
    named = getattr(getattr(fault, "error", None), "code", None)
    if named:
        return str(named)
    body = _body(fault)
    inner = body.get("error")
    holder: Mapping[str, Any] = inner if isinstance(inner, dict) else body
    return str(holder.get("code") or holder.get("Code") or "")


def _body(fault: AzureError) -> Mapping[str, Any]:
    response = getattr(fault, "response", None)
    if response is None:
        return {}
    try:
        parsed = response.json() if hasattr(response, "json") else {}
    except Exception:  # noqa: BLE001 (an unreadable error body is just an error without a code)
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _retry_after(fault: HttpResponseError) -> float | None:
    headers = getattr(fault.response, "headers", None) or {}
    value = str(headers.get("Retry-After", ""))
    return float(value) if re.fullmatch(r"\d{1,6}", value) else None


def classify(fault: AzureError, *, changed: bool) -> MisoError:
    """Our error for the SDK's. `changed`: a write may have reached Azure before this happened."""
    if isinstance(fault, ClientAuthenticationError):
        return _authentication(fault)
    if not isinstance(fault, HttpResponseError) or fault.response is None:
        # Sent or not: a dropped connection cannot tell (aiohttp reports both as the same error).
        return transient(Code.AZURE_UNAVAILABLE, unknown=changed)
    status, code = fault.status_code or 0, error_code(fault)
    known = _by_code(code.lower(), status, fault, changed)
    if known is not None:
        return known
    if status == 429:
        return transient(Code.AZURE_THROTTLED, retry_after=_retry_after(fault))
    if status == 408 or status >= 500:
        return transient(Code.AZURE_UNAVAILABLE, unknown=changed, retry_after=_retry_after(fault))
    if status == 404:
        return refusal(Code.AZURE_MISSING)
    return refusal(Code.AZURE_REFUSED)


def _by_code(code: str, status: int, fault: HttpResponseError, changed: bool) -> MisoError | None:
    if code in FORBIDDEN or (status == 403 and "quota" not in code):
        return refusal(Code.AZURE_FORBIDDEN)
    if code in QUOTA or "quota" in code:
        return refusal(Code.AZURE_QUOTA)
    if code in IMAGE:
        return refusal(Code.AZURE_IMAGE_PULL)
    if code in IMAGE_LATER:
        return transient(Code.AZURE_IMAGE_PULL)
    if code in BUSY or (code == "conflict" and _another_operation(fault)):
        # It may be our own: a PUT that acted before its connection was lost was sent again.
        return transient(Code.AZURE_CONFLICT, unknown=changed, retry_after=_retry_after(fault))
    if code in MISSING and status in (404, 410):
        return refusal(Code.AZURE_MISSING)
    if code in NO_ANSWER:
        return refusal(Code.PLATFORM_UNHEALTHY)
    return None


def _another_operation(fault: HttpResponseError) -> bool:
    """App Service says `Conflict` for many things; only its words tell a running operation from a refusal."""
    body = _body(fault)
    inner = body.get("error")
    holder: Mapping[str, Any] = inner if isinstance(inner, dict) else body
    return "another operation is in progress" in str(holder.get("Message") or holder.get("message") or "").lower()


def _authentication(fault: ClientAuthenticationError) -> MisoError:
    status = getattr(fault, "status_code", None) or 0
    found = AADSTS.search(str(fault.message))
    if status == 429:
        return transient(Code.AZURE_THROTTLED)
    if isinstance(fault.__cause__, ServiceRequestError) or status >= 500 or (found and found[1] in ENTRA_BUSY):
        return transient(Code.AZURE_UNAVAILABLE)
    if found is None and status == 401 and error_code(fault).lower() != "invalidauthenticationtokentenant":
        # ARM no longer takes the token that we hold: the window forgets it, and the next try has a new one.
        return transient(Code.AZURE_UNAVAILABLE)
    return refusal(Code.AZURE_FEDERATION)


def details(fault: AzureError) -> dict[str, str | int]:
    """What a log line may hold of it: codes and status, no text."""
    found = AADSTS.search(str(getattr(fault, "message", "")))
    return {
        "kind": type(fault).__name__,
        "status": getattr(fault, "status_code", None) or 0,
        "azure_code": error_code(fault)[:80],
        "entra_code": found[1] if found else "",
    }
