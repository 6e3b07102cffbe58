"""The part of the table of reason codes that is about the repository and the release.

Read through `bot.domain.messages.refusals`. Rule 20: no sentence tells whether something of another tenant exists.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.domain.codes import Code
from bot.domain.decision import Fixer
from bot.domain.messages.entry import Entry

RELEASE: Mapping[Code, Entry] = {
    # identity
    Code.GUID_MISSING: Entry(
        "A Miso variable is missing",
        "This repository does not say which application it is: one of its Miso variables is missing.",
        "Set `MISO_APPLICATION_ID` and `MISO_SUBSCRIPTION_ID` for the repository and `MISO_ENVIRONMENT_ID` for each "
        "environment, under Settings → Secrets and variables → Actions → Variables.",
        Fixer.MAINTAINER,
    ),
    Code.GUID_MALFORMED: Entry(
        "A Miso variable is not a GUID",
        "One of this repository's Miso variables is not a GUID.",
        "Copy it again, whole and without quotes or spaces: `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`.",
        Fixer.MAINTAINER,
    ),
    Code.GUID_NOT_BOUND: Entry(
        "The GUID does not belong here",
        "A GUID in this repository's Miso variables is not bound to this repository.",
        "Use the GUIDs that you were given for this repository. If they were copied from another one, ask whoever "
        "runs Miso for its own.",
        Fixer.MAINTAINER,
    ),
    Code.GUID_OTHER_ENVIRONMENT: Entry(
        "The GUID is another environment's",
        "`MISO_ENVIRONMENT_ID` here is the GUID of another environment of this application.",
        "Give each GitHub environment its own `MISO_ENVIRONMENT_ID`.",
        Fixer.MAINTAINER,
    ),
    Code.SUBSCRIPTION_MISMATCH: Entry(
        "The subscription differs",
        "`MISO_SUBSCRIPTION_ID` is not the subscription that this environment is registered with.",
        "Correct the variable, or have the registration changed by whoever runs Miso.",
        Fixer.MAINTAINER,
    ),
    Code.REPOSITORY_TRANSFERRED: Entry(
        "The repository has a new owner",
        "This repository was registered under another owner, so its registration no longer counts.",
        "Whoever runs Miso must register it again for the new owner.",
        Fixer.OPERATOR,
    ),
    Code.REPOSITORY_NOT_REGISTERED: Entry(
        "The repository is not registered",
        "Miso does not know this repository yet.",
        "Ask whoever runs Miso to register it.",
        Fixer.OPERATOR,
    ),
    Code.INSTALLATION_MISMATCH: Entry(
        "The installation does not fit",
        "This event came through an installation of the App that does not see this repository.",
        "Check under Settings → GitHub Apps that Miso is installed on this repository.",
        Fixer.MAINTAINER,
    ),
    Code.ENVIRONMENT_UNKNOWN: Entry(
        "The environment is not registered",
        "This application has no such environment registered.",
        "`/status` shows the environments that it has. Whoever runs Miso can register another one.",
        Fixer.OPERATOR,
    ),
    Code.ENVIRONMENT_LOOKALIKE: Entry(
        "The environment's name only looks right",
        "That environment's name looks like a registered one but is written differently.",
        "Name it exactly as it is registered: capital letters, spaces and alphabets count.",
        Fixer.MAINTAINER,
    ),
    Code.CONFIG_INVALID: Entry(
        "The configuration has mistakes",
        "{path} on the default branch cannot be used as it is.",
        "Every mistake is listed in the check run `miso / build`; correct them on the default branch.",
        Fixer.WRITER,
    ),
    Code.CONFIG_MISSING: Entry(
        "The configuration is missing",
        "There is no {path} on the default branch, so Miso does not know what a build of this repository is.",
        "Add the file with at least `image:` and `build:`.",
        Fixer.WRITER,
    ),
    # the release
    Code.IMAGE_NOT_FOUND: Entry(
        "The build pushed no image",
        "{image} is not in its registry, although the build was successful.",
        "Check that the workflow pushes the image under the tag that `.github/miso.yml` says, then run it again.",
        Fixer.WRITER,
    ),
    Code.IMAGE_HOST_NOT_ALLOWED: Entry(
        "Images may not come from there",
        "Images may not be taken from {host}.",
        "Push to a registry that is allowed, or ask whoever runs Miso to allow this one.",
        Fixer.OPERATOR,
    ),
    Code.MOVING_TAG: Entry(
        "Production wants a tag that does not move",
        "The image of {commit} has a tag that can move, and production takes only tags that name the commit.",
        "Let the build push `{{image}}:<commit>` and merge that; then promote the new release.",
        Fixer.WRITER,
    ),
    Code.ARTIFACT_MOVED: Entry(
        "The tag now shows another image",
        "The image tag of {commit} no longer points to the image that was built and checked.",
        "Find out who pushed over it. Build the commit again and promote that release.",
        Fixer.WRITER,
    ),
    Code.ARTIFACT_GONE: Entry(
        "The image is gone",
        "The image of {commit} is no longer in its registry.",
        "Build the commit again, or promote a release whose image still exists.",
        Fixer.WRITER,
    ),
    Code.RELEASE_UNKNOWN: Entry(
        "There is no such release",
        "Miso knows no release of {commit}: no successful build of it was seen.",
        "Wait until the build of the default branch is green, then try again.",
        Fixer.REQUESTER,
    ),
    Code.RELEASE_HELD: Entry(
        "The release is held",
        "The release of {commit} failed in {stage} and is held until a person says that it may try again.",
        "Once its cause is understood, type {command}.",
        Fixer.WRITER,
        "/clear @sha <reason>",
    ),
    Code.NOT_VERIFIED_BEFORE: Entry(
        "It was not seen healthy one stage earlier",
        "This image of {commit} has not been seen healthy in {stage} yet.",
        "Bring it there first with {command}.",
        Fixer.WRITER,
        "/promote <environment> @sha",
    ),
    Code.OLDER_COMMIT: Entry(
        "Something newer runs there",
        "{commit} does not come after {running}, so promoting it would take work back in {stage}.",
        "If going back is what you want, type {command}.",
        Fixer.WRITER,
        "/rollback <environment> to @sha",
    ),
    Code.ANCESTRY_UNKNOWN: Entry(
        "The order of the commits is not known",
        "GitHub did not say which commit is newer, so Miso will not guess.",
        "Try again in a minute.",
        Fixer.WAIT,
    ),
    Code.SAME_IMAGE_OTHER_PLAN: Entry(
        "The same image runs there with other settings",
        "The image of {commit} runs in {stage} already, with other settings than it would get now.",
        "New settings reach Azure together with a new image: merge a change that builds one.",
        Fixer.WRITER,
    ),
    Code.ALREADY_RUNNING: Entry(
        "It already runs there",
        "The release of {commit} already runs in {stage}.",
        "There is nothing to do.",
        Fixer.NOBODY,
    ),
    Code.ALREADY_REQUESTED: Entry(
        "It is already on its way",
        "The release of {commit} is already on its way to {stage}.",
        "`/status` shows how far it is.",
        Fixer.NOBODY,
    ),
    Code.SUPERSEDED: Entry(
        "A newer release took its place",
        "A newer release was asked for in {stage} before this one started.",
        "There is nothing to do.",
        Fixer.NOBODY,
    ),
}  # fmt: skip
"""Codes of repository and release, in the order of `Code`."""
