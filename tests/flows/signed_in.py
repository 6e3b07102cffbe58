"""People who signed in elsewhere, as the store knows them: a command line's token, or a browser on a page of ours."""

from __future__ import annotations

from pydantic import BaseModel

from bot.domain.model import ANY_VERSION, Keep
from bot.services import devices, links, people, sessions
from bot.services.bearer import fresh, key_of
from bot.services.devices import Family, Handed
from bot.services.links import Account
from bot.services.people import Told
from bot.services.sessions import Session
from bot.web import auth
from tests.flows.stage import Stage

DAY_US = 86_400_000_000


async def signs_in(stage: Stage, login: str, *, linked: bool = True) -> str:
    """The command line's token of somebody who signed in elsewhere. Gives the access token."""
    miso, family, access = stage.miso, key_of(fresh()), fresh(devices.ACCESS_PREFIX)
    now, number, subject = miso.clock.now_us(), stage.shop.people[login] if linked else 0, subject_of(login)
    one = Family(subject=subject, account=number, client="miso-cli", scope="", address="", began_us=now)
    await known(stage, login, linked)
    await keeps(stage, devices.FAMILY, family, subject, one)
    await keeps(stage, devices.ACCESS, key_of(access), family, Handed())
    return access


async def browses(stage: Stage, login: str) -> dict[str, str]:
    """The headers of a browser in which somebody signed in, on a page of ours."""
    miso, cookie, subject = stage.miso, fresh(), subject_of(login)
    now = miso.clock.now_us()
    one = Session(
        subject=subject,
        account=stage.shop.people[login],
        agent="test",
        began_us=now,
        seen_us=now,
        ends_us=now + DAY_US,
    )
    await known(stage, login, True)
    await keeps(stage, sessions.KIND, key_of(cookie), subject, one)
    found = await sessions.of_cookie(miso, cookie)
    assert found is not None
    return {"Cookie": f"{auth.cookie_name(miso)}={cookie}", auth.CSRF_HEADER: auth.csrf_of(miso, found)}


async def known(stage: Stage, login: str, linked: bool) -> None:
    """What the sign-in service said of somebody, and which account they are."""
    now, number, subject = stage.miso.clock.now_us(), stage.shop.people[login], subject_of(login)
    told = Told(subject=subject, name=login, groups=(), at_us=now)
    await keeps(stage, people.KIND, key_of(subject), subject, told)
    if linked:
        account = Account(
            subject=subject, account=number, login=login, since_us=now, by=number, by_login=login, cause="test"
        )
        await keeps(stage, links.LINK, key_of(subject), subject, account)


async def keeps(stage: Stage, kind: str, key: str, owner: str, body: BaseModel) -> None:
    until = stage.miso.clock.now_us() + DAY_US
    said = body.model_dump(mode="json")
    change = Keep(kind=kind, key=key, owner=owner, body=said, version=ANY_VERSION, until_us=until)
    assert await stage.miso.store.keep(change)


def subject_of(login: str) -> str:
    return f"entra:tenant:{login}"
