"""Ready-made ARM faults for `wire.faults`: the errors that deployments really meet, in ARM's own words and codes."""

from __future__ import annotations

from bot.sim.wire import Fault


def _arm(route: str, status: int, code: str, message: str, times: int | None, **headers: str) -> Fault:
    body = {"error": {"code": code, "message": message}}
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return Fault(route, "status", status=status, body=body, headers=named, times=times)


def quota(route: str = "arm PUT .*containerGroups", times: int | None = 1) -> Fault:
    message = (
        "Resource type 'Microsoft.ContainerInstance/containerGroups' container group quota 'StandardCores' exceeded in"
        " region 'westeurope'. Limit: '10', Usage: '10' Requested: '1'."
    )
    return _arm(route, 409, "ContainerGroupQuotaReached", message, times)


def role_missing(route: str = "arm PUT ", times: int | None = 1) -> Fault:
    message = (
        "The client does not have authorization to perform action 'write' over the scope or the scope is invalid. If"
        " access was recently granted, please refresh your credentials."
    )
    return _arm(route, 403, "AuthorizationFailed", message, times)


def in_transition(route: str = "arm PUT .*containerGroups", times: int | None = 1) -> Fault:
    message = "The container group is still transitioning, please retry later."
    return _arm(route, 409, "ContainerGroupTransitioning", message, times)


def throttled(route: str = "arm ", retry_after: int = 1, times: int | None = 1) -> Fault:
    message = "The request is being throttled as the limit has been reached."
    return _arm(route, 429, "TooManyRequests", message, times, Retry_After=str(retry_after))


def unavailable(route: str = "arm ", times: int | None = 1) -> Fault:
    message = "The service is temporarily unavailable. Please try again later."
    return _arm(route, 503, "ServiceUnavailable", message, times)


def gone(route: str, times: int | None = 1) -> Fault:
    return _arm(route, 404, "NotFound", "The operation was not found.", times)
