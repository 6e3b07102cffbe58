"""The part of the table of reason codes that is about tokens, sign-in and roles.

Read through `bot.domain.messages.refusals`. What a stranger at a door is told never says what another tenant has.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain.codes import Code
from bot.domain.decision import Fixer
from bot.domain.messages.entry import Entry

AUTHOR = Fixer.WRITER
"""Whoever may change the workflow."""

IDENTITY: Mapping[Code, Entry] = {
    # tokens of workflows: the request
    Code.GRANT_UNSUPPORTED: Entry(
        "This kind of request is not offered", "Miso does not offer this grant type here.",
        "Use one of `grant_types_supported` in the discovery document.", AUTHOR,
    ),
    Code.REQUEST_MALFORMED: Entry(
        "The request is not complete", "{word} is missing, given twice, or not written as it should be.",
        "Compare the request with the documentation of tokens.", AUTHOR,
    ),
    Code.RESOURCE_REFUSED: Entry(
        "Tokens are for Miso only", "A `resource` was asked for, and Miso issues tokens for nobody but itself.",
        "Leave `resource` out.", AUTHOR,
    ),
    Code.AUDIENCE_REFUSED: Entry(
        "The token is meant for somebody else", "The audience is not the one that this Miso expects.",
        "Ask for the ID token with the audience that the documentation of tokens names.", AUTHOR,
    ),
    # tokens of workflows: the token itself
    Code.TOKEN_MALFORMED: Entry(
        "That is not a token", "The subject token is not a signed token in compact form, or it is too long.",
        "Hand over the ID token exactly as the workflow got it.", AUTHOR,
    ),
    Code.TOKEN_ALGORITHM: Entry(
        "The signature's algorithm is refused", "The token is not signed with the algorithm that its issuer uses.",
        "Ask for a new ID token.", AUTHOR,
    ),
    Code.TOKEN_HEADER: Entry(
        "The token brings its own key", "The token's header holds a key, an address of one, or an extension that"
        " nobody agreed on.", "Ask for a new ID token.", AUTHOR,
    ),
    Code.TOKEN_KEY_UNKNOWN: Entry(
        "Nobody knows the signing key", "The issuer publishes no key of the name that the token was signed with.",
        "Ask for a new ID token; after a change of keys try again in half a minute.", AUTHOR,
    ),
    Code.TOKEN_SIGNATURE: Entry(
        "The signature is wrong", "The token's signature does not fit its content.", "Ask for a new ID token.", AUTHOR,
    ),
    Code.TOKEN_EXPIRED: Entry(
        "The token has run out", "The token's time is over.", "Ask for a new one directly before it is used.", AUTHOR,
    ),
    Code.TOKEN_NOT_YET: Entry(
        "The token is from the future", "The token is not valid yet, or says that it was issued in the future.",
        "Compare the clocks of both sides.", Fixer.OPERATOR,
    ),
    Code.TOKEN_LIFE: Entry(
        "The token lives too long", "The token is meant to be valid for more than an hour, or for no time at all.",
        "Ask for one that lives shorter; ID tokens of workflows live for minutes.", AUTHOR,
    ),
    Code.TOKEN_CLAIM_MISSING: Entry(
        "A claim is missing", "The token does not say {key}, or says it in a form that it never has.",
        "Ask for a new ID token.", AUTHOR,
    ),
    Code.TOKEN_REPLAYED: Entry(
        "The token was used before", "Each ID token can be exchanged once, and this one was.",
        "Ask for a new ID token for each exchange.", AUTHOR,
    ),
    Code.TOKEN_INVALID: Entry(
        "The token is not valid", "The access token is not one of this Miso, or its time is over.",
        "Exchange a new ID token, or sign in again.", AUTHOR,
    ),
    Code.TOKEN_REVOKED: Entry(
        "The token was revoked", "Somebody has revoked this token.", "Exchange a new ID token.", AUTHOR,
    ),
    Code.TOKEN_SCOPE: Entry(
        "The token is for something else", "This token opens one environment for one commit, and this is another.",
        "Exchange a token for what is to be deployed.", AUTHOR,
    ),
    # whom Miso listens to
    Code.ISSUER_REFUSED: Entry(
        "Nobody trusts this issuer", "The token's issuer is not on this installation's list.",
        "Whoever runs Miso can add it in `config/trust`.", Fixer.OPERATOR,
    ),
    Code.ISSUER_UNAVAILABLE: Entry(
        "The issuer does not answer", "The keys of the token's issuer could not be read.", "Try again in a minute.",
        Fixer.WAIT,
    ),
    Code.TRUST_NO_RULE: Entry(
        "No rule covers this environment", "No trust rule of this issuer speaks of this environment.",
        "Whoever runs Miso can add one in `config/trust`.", Fixer.OPERATOR,
    ),
    Code.TRUST_REPOSITORY: Entry(
        "Another repository", "The token is of another repository than the application's.",
        "Use the application's own GUIDs in its own repository.", AUTHOR,
    ),
    Code.TRUST_OWNER: Entry(
        "Another owner", "The token is of a repository of another owner than the application's.",
        "After a transfer the application must be registered anew.", Fixer.OPERATOR,
    ),
    Code.TRUST_ENVIRONMENT: Entry(
        "Another environment", "The job runs in another environment than the one that is asked for.",
        "Let the job name the environment whose GUID it uses.", AUTHOR,
    ),
    Code.TRUST_ENVIRONMENT_MISSING: Entry(
        "The job names no environment", "The workflow's job has no `environment:`, so no rule of GitHub protects it.",
        "Add `environment:` to the job.", AUTHOR,
    ),
    Code.TRUST_EVENT: Entry(
        "Not for this event", "Workflows that were started by {word} get no token here.",
        "Start it by an event that the trust rule names.", AUTHOR,
    ),
    Code.TRUST_REF: Entry(
        "Not from this branch", "Workflows of {branch} get no token here.",
        "Run it on a branch that the trust rule names.", AUTHOR,
    ),
    Code.TRUST_WORKFLOW: Entry(
        "Not this workflow", "The job's workflow file, or the version of it, is not one that the trust rule names.",
        "Use the named workflow; whoever runs Miso can pin another.", Fixer.OPERATOR,
    ),
    Code.TRUST_RUNNER: Entry(
        "Not on this runner", "The trust rule asks for another kind of runner.",
        "Run the job where the trust rule allows it.", AUTHOR,
    ),
    Code.TRUST_COMMIT: Entry(
        "Another commit", "The token is of another commit than the one that is to be deployed.",
        "Deploy the commit that the workflow runs for.", AUTHOR,
    ),
    Code.TRUST_RUN: Entry(
        "That run is not under way", "GitHub knows no such run of this commit that is under way.",
        "Use the token inside the run that it was made for.", AUTHOR,
    ),
    Code.TRUST_ATTEMPT: Entry(
        "An older attempt", "The run was started again after this token was made.",
        "Use the token of the newest attempt.", AUTHOR,
    ),
    Code.TRUST_PROJECT: Entry(
        "Another project", "The token is of another project or pipeline than the trust rule names.",
        "Whoever runs Miso can add it in `config/trust`.", Fixer.OPERATOR,
    ),
    Code.NO_DECISION: Entry(
        "Nothing was decided for this commit", "There is no decision that lets this commit into {stage}.",
        "Ask for it with {command} on the pull request, and run the job again once it is approved.", Fixer.REQUESTER,
        "/promote <environment>",
    ),
    Code.ASSERTION_REFUSED: Entry(
        "No Azure assertion here", "Azure assertions for workflows are switched off, or this is production.",
        "Let Miso deploy: the token opens its API.", Fixer.OPERATOR,
    ),
    # who somebody is
    Code.NOT_SIGNED_IN: Entry(
        "Not signed in", "This needs somebody who is signed in, or a token.",
        "Sign in, or run `miso login`.", Fixer.REQUESTER,
    ),
    Code.NOT_LINKED: Entry(
        "No GitHub account is linked", "Miso does not know which GitHub account you are, so you may look and no more.",
        "Get a code on the account page and type `/link CODE` on a pull request as yourself.", Fixer.REQUESTER,
    ),
    Code.ROLE_MISSING: Entry(
        "Another role is needed", "Your roles here do not include this.",
        "Ask somebody who has the role, or whoever runs Miso.", Fixer.OPERATOR,
    ),
    Code.DOOR_REFUSED: Entry(
        "Not through this door", "This cannot be done from here.", "Use a comment on the pull request.",
        Fixer.REQUESTER,
    ),
    Code.DEVICE_MAY_NOT_APPROVE: Entry(
        "Not from the command line", "The policy of {stage} lets nobody do this who signed in by a code.",
        "Do it in the browser, by a button or by a comment.", Fixer.REQUESTER,
    ),
    Code.ROLES_TOO_OLD: Entry(
        "Groups must be asked for again", "What the sign-in said about groups is too old to act on.",
        "Sign in again.", Fixer.REQUESTER,
    ),
    Code.GROUPS_OVERAGE: Entry(
        "Too many groups", "The account is in more groups than a token can hold, so none of them could be read.",
        "Whoever runs Miso can use app roles instead of groups.", Fixer.OPERATOR,
    ),
    # signing in
    Code.SIGN_IN_OFF: Entry(
        "Sign-in is switched off", "This installation has no sign-in.", "Use comments on pull requests.",
        Fixer.OPERATOR,
    ),
    Code.SIGN_IN_STATE: Entry(
        "The sign-in was not begun here", "This answer belongs to no sign-in that this browser began, or to one that"
        " took too long.", "Begin again.", Fixer.REQUESTER,
    ),
    Code.SIGN_IN_REFUSED: Entry(
        "The sign-in was refused", "The sign-in was broken off, or its answer could not be verified.",
        "Begin again; if it stays so, ask whoever runs Miso to look at its log.", Fixer.OPERATOR,
    ),
    Code.SIGN_IN_TENANT: Entry(
        "Another organisation", "The account belongs to another tenant than this installation's.",
        "Sign in with an account of this organisation.", Fixer.REQUESTER,
    ),
    Code.SIGN_IN_UNAVAILABLE: Entry(
        "The sign-in service does not answer", "The sign-in service could not be reached.", "Try again in a minute.",
        Fixer.WAIT,
    ),
    Code.SESSION_ENDED: Entry(
        "The session is over", "You were signed out, by yourself, by time, or because your roles have changed.",
        "Sign in again.", Fixer.REQUESTER,
    ),
    Code.CSRF_REFUSED: Entry(
        "The form is not from here", "This form was not sent from a page that Miso showed in this session.",
        "Reload the page and send it again.", Fixer.REQUESTER,
    ),
    Code.LINK_CODE: Entry(
        "That code is not valid", "There is no such code, it was used already, or its time is over.",
        "Get a new one on the account page.", Fixer.REQUESTER,
    ),
    Code.LINK_TAKEN: Entry(
        "Already linked", "This identity is linked to another GitHub account.",
        "An administrator can change it.", Fixer.OPERATOR,
    ),
    Code.AUTHORIZATION_PENDING: Entry(
        "Not confirmed yet", "Nobody has confirmed the code yet.", "Ask again in a few seconds.", Fixer.WAIT,
    ),
    Code.SLOW_DOWN: Entry(
        "Too fast", "That was asked sooner than agreed.", "Wait five seconds longer each time.", Fixer.WAIT,
    ),
    Code.DEVICE_CODE: Entry(
        "That code is not valid", "There is no such code, it was used already, or its time is over.",
        "Run `miso login` again.", Fixer.REQUESTER,
    ),
    Code.DEVICE_DENIED: Entry(
        "It was denied", "Somebody looked at the request and said no.", "Run `miso login` again.", Fixer.REQUESTER,
    ),
    Code.REFRESH_REFUSED: Entry(
        "Sign in again", "The refresh token is not valid any more.", "Run `miso login` again.", Fixer.REQUESTER,
    ),
    Code.REFRESH_REUSED: Entry(
        "A refresh token was used twice", "This refresh token was used before, so somebody may have copied it; all of"
        " its sign-in was ended.", "Run `miso login` again, and look who can read your files.", Fixer.REQUESTER,
    ),
    Code.TOO_MANY_REQUESTS: Entry(
        "Too many requests", "There were too many requests in a short time.", "Wait for the time that `Retry-After`"
        " says.", Fixer.WAIT,
    ),
    Code.NOT_FOUND: Entry(
        "There is no such thing", "There is nothing here that you may see.", "Look at the address again.",
        Fixer.REQUESTER,
    ),
    Code.HOST_REFUSED: Entry(
        "Not this address", "This Miso does not answer under the address that was asked.",
        "Use the address that whoever runs Miso has given out.", Fixer.OPERATOR,
    ),
    Code.REQUEST_TOO_LARGE: Entry(
        "Too large", "The request has more headers, or a longer body, than anything here needs.", "Send less.",
        Fixer.REQUESTER,
    ),
    Code.REQUEST_TOO_SLOW: Entry(
        "Too slow", "The request did not arrive in time.", "Send it again.", Fixer.WAIT,
    ),
    Code.UNEXPECTED: Entry(
        "Something went wrong here", "Something went wrong on Miso's side, and this was not carried out.",
        "Try again; whoever runs Miso finds it in the log by the reference.", Fixer.OPERATOR,
    ),
    # keys
    Code.KEY_VAULT_UNAVAILABLE: Entry(
        "The key vault does not answer", "The key vault that holds the signing keys could not be reached.",
        "Try again in a minute.", Fixer.WAIT,
    ),
    Code.KEY_VAULT_FORBIDDEN: Entry(
        "The key vault refuses Miso", "The managed identity of this host may not use the keys in the vault.",
        "Give it the role Key Vault Crypto Officer on that vault.", Fixer.OPERATOR,
    ),
}  # fmt: skip
"""Codes of tokens, sign-in and keys, in the order of `Code`."""
