"""What a request may do at the pretend GitHub: App JWT, installation token, scope, permission, primary rate limit.

Called by `routing` before any route; refuses with `Problem` in GitHub's words.
"""

from __future__ import annotations

import jwt
from aiohttp import web

from bot.sim.github.guest import Token
from bot.sim.github.problems import Problem
from bot.sim.github.state import Repository, State

LEVELS = {"read": 1, "write": 2, "admin": 3}


def check_jwt(state: State, credential: str) -> None:
    """https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app"""
    options = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "require": ["iat", "exp", "iss"]}
    try:
        claims = jwt.decode(credential, state.app.public_key, algorithms=["RS256"], options=options)  # type: ignore[arg-type]  # a plain dict is what PyJWT documents
    except jwt.InvalidTokenError:
        raise Problem(401, "A JSON web token could not be decoded") from None
    now = state.clock()
    if str(claims["iss"]) not in (str(state.app.id), state.app.client_id):
        raise Problem(401, "'Issuer' claim ('iss') must be an Integer or the client ID of the App")
    if claims["exp"] <= now:
        raise Problem(401, "'Expiration time' claim ('exp') must be a numeric value representing the future time")
    if claims["exp"] > now + 600 or claims["exp"] - claims["iat"] > 660:
        raise Problem(401, "'Expiration time' claim ('exp') is too far in the future")
    if claims["iat"] > now + 60:
        raise Problem(401, "'Issued at' claim ('iat') must be an Integer representing the past")


def check_token(state: State, credential: str) -> Token:
    token = state.tokens.get(credential)
    if token is None or token.expires <= state.clock() or token.installation_id not in state.installations:
        raise Problem(401, "Bad credentials")
    if state.installations[token.installation_id].suspended is not None:
        raise Problem(403, "This installation has been suspended")
    return token


def counter(token: Token | None) -> str:
    return "app" if token is None else f"installation {token.installation_id}"


def count(state: State, key: str, request: web.Request, headers: dict[str, str]) -> None:
    """Primary rate limit, one window an hour; asking for the limits themselves is free."""
    if request.path != "/rate_limit":
        state.used[key] = state.used.get(key, 0) + 1
    used = state.used.get(key, 0)
    remaining = max(0, state.rate_limit - used)
    reset = (int(state.clock()) // 3600 + 1) * 3600
    headers.update(
        {
            "X-RateLimit-Limit": str(state.rate_limit),
            "X-RateLimit-Remaining": str(remaining),
            "X-RateLimit-Used": str(used),
            "X-RateLimit-Reset": str(reset),
            "X-RateLimit-Resource": "core",
        }
    )
    if used > state.rate_limit:
        raise Problem(403, "API rate limit exceeded for installation.")


def reachable(state: State, token: Token | None) -> list[Repository]:
    if token is None:
        return [repository for repository in state.repositories.values() if state.installation_for(repository)]
    installation = state.installations[token.installation_id]
    return [
        repository
        for repository in state.repositories.values()
        if repository.owner_id == installation.account_id
        and (installation.selected is None or repository.id in installation.selected)
        and (token.repositories is None or repository.id in token.repositories)
    ]


def granted(token: Token, need: str) -> bool:
    name, _, level = need.partition(":")
    return LEVELS.get(token.permissions.get(name, ""), 0) >= LEVELS[level]
