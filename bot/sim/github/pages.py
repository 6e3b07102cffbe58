"""The pretend GitHub to look at and to play with: a pull request, its deployments, a check run with its buttons.

Server-rendered and without scripts. Whoever plays says as whom in the form. Every text is escaped; Markdown is rendered
with raw HTML switched off.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from html import escape

from aiohttp import web
from markdown_it import MarkdownIt

from bot.sim.github.git import changed_paths
from bot.sim.github.problems import Misused, Problem
from bot.sim.github.scenario import Scenario
from bot.sim.github.state import CheckRun, Deployment, Pull, Repository

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_FOLD = re.compile(r"<p>&lt;details( open)?&gt;&lt;summary&gt;(.*?)&lt;/summary&gt;</p>")
_LET_THROUGH = re.compile(r"&lt;(/?(?:br|sub))&gt;")
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
_STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#8881;--good:#1a7f37;--bad:#cf222e;--busy:#9a6700;--link:#0969da}
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem}
a{color:var(--link)}h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}
article,form,li.card{border:1px solid var(--line);border-radius:.5rem;padding:.75rem 1rem;margin:.75rem 0}
header{color:#888;font-size:.9rem}ul{list-style:none;padding:0}table{border-collapse:collapse}
td,th{border:1px solid var(--line);padding:.25rem .5rem}
pre,code{background:var(--soft);border-radius:.25rem;padding:.1rem .3rem}
pre{overflow:auto;padding:.5rem}textarea,input,select{font:inherit;width:100%;box-sizing:border-box;padding:.4rem}
button{font:inherit;padding:.4rem .9rem;border-radius:.4rem;
border:1px solid var(--line);margin:.5rem .5rem 0 0;cursor:pointer}
.tag{border-radius:1rem;padding:.1rem .6rem;color:#fff;font-size:.85rem;background:#6e7781}
.success,.open{background:var(--good)}.failure,.error,.closed,.timed_out{background:var(--bad)}
.in_progress,.queued,.pending,.action_required{background:var(--busy)}.merged{background:#8250df}
"""

Page = Callable[[web.Request, Repository], str]
Act = Callable[[web.Request, Repository, dict[str, str]], None]


def _tag(word: str) -> str:
    return f'<span class="tag {escape(word)}">{escape(word.replace("_", " "))}</span>'


def _markdown(text: str) -> str:
    """Rendered with every tag escaped, but for the few that GitHub lets through without attributes."""
    shown = _MARKDOWN.render(_COMMENT.sub("", text))
    shown = _FOLD.sub(r"<details\1><summary>\2</summary>", shown).replace("<p>&lt;/details&gt;</p>", "</details>")
    return _LET_THROUGH.sub(r"<\1>", shown)


def _link(url: str, words: str) -> str:
    """A link when it leads over http(s), plain words otherwise."""
    if not url.startswith(("http://", "https://")):
        return escape(words)
    return f'<a href="{escape(url)}" rel="noreferrer">{escape(words)}</a>'


class Pages:
    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.state = scenario.github.state

    def _frame(self, repo: Repository, title: str, body: str) -> str:
        full = self.state.full_name(repo)
        links = "".join(
            f'<a href="/{escape(full)}/{path}">{name}</a> &nbsp; '
            for path, name in (("", "Pull requests"), ("deployments", "Deployments"))
        )
        return (
            '<!doctype html><html lang="en"><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            f"<title>{escape(title)} · {escape(full)}</title><style>{_STYLE}</style>"
            f"<header>Pretend GitHub · {escape(full)} &nbsp; {links}</header><h1>{escape(title)}</h1>{body}"
        )

    def _people(self, repo: Repository) -> str:
        logins = [self.state.users[number].login for number in repo.collaborators]
        options = "".join(f"<option>{escape(login)}</option>" for login in logins)
        first = escape(logins[0]) if logins else ""
        return (
            f'<label>As <input name="login" list="people" value="{first}" required></label>'
            f'<datalist id="people">{options}</datalist>'
        )

    def overview(self, _: web.Request, repo: Repository) -> str:
        full = escape(self.state.full_name(repo))
        rows = "".join(
            f'<li class="card"><a href="/{full}/pull/{pull.number}">#{pull.number} {escape(pull.title)}</a> '
            f"{_tag('merged' if pull.merged_at else pull.state)}</li>"
            for pull in reversed(repo.pulls.values())
        )
        return self._frame(repo, "Pull requests", f"<ul>{rows or '<li>None yet.</li>'}</ul>")

    def pull(self, request: web.Request, repo: Repository) -> str:
        pull = self.scenario.pull(repo, int(request.match_info["number"]))
        state = "merged" if pull.merged_at else pull.state
        author = self.state.users[pull.user_id].login
        parts = [
            f"<p>{_tag(state)} {escape(author)} wants <code>{escape(pull.head_ref)}</code> in "
            f"<code>{escape(pull.base_ref)}</code></p>{_markdown(pull.body)}",
            *(self._comment(entry.id, repo) for entry in repo.comments.values() if entry.number == pull.number),
            f'<form method="post">{self._people(repo)}'
            '<p><textarea name="text" rows="3" required placeholder="/promote production"></textarea></p>'
            "<button>Comment</button></form>",
            self._checks(repo, pull),
        ]
        return self._frame(repo, f"{pull.title} #{pull.number}", "".join(parts))

    def _comment(self, comment_id: int, repo: Repository) -> str:
        comment = repo.comments[comment_id]
        edited = " · edited" if comment.updated != comment.created else ""
        signs = {"+1": "👍", "-1": "👎", "laugh": "😄", "hooray": "🎉", "confused": "😕", "heart": "❤️", "rocket": "🚀"}
        reactions = " ".join(signs.get(reaction.content, "👀") for reaction in comment.reactions)
        return (
            f'<article id="issuecomment-{comment.id}"><header>{escape(self.state.users[comment.user_id].login)}'
            f"{edited}</header>{_markdown(comment.body)}<p>{reactions}</p></article>"
        )

    def _checks(self, repo: Repository, pull: Pull) -> str:
        shas = (pull.head_sha, pull.merge_commit_sha)
        found = [check for check in repo.checks.values() if check.head_sha in shas]
        full = escape(self.state.full_name(repo))
        rows = "".join(
            f'<li class="card"><a href="/{full}/runs/{check.id}">{escape(check.name)}</a> '
            f"{_tag(check.conclusion or check.status)} {escape(str(check.output.get('title') or ''))}</li>"
            for check in found
        )
        return f"<h2>Checks</h2><ul>{rows or '<li>None.</li>'}</ul>"

    def deployments(self, _: web.Request, repo: Repository) -> str:
        rows = "".join(self._deployment(entry) for entry in reversed(repo.deployments.values()))
        return self._frame(repo, "Deployments", f"<ul>{rows or '<li>None yet.</li>'}</ul>")

    def _deployment(self, deployment: Deployment) -> str:
        state = deployment.statuses[-1].state if deployment.statuses else "pending"
        history = "".join(
            f"<li>{_tag(status.state)} {escape(status.description)} "
            f"{_link(status.environment_url, 'open') if status.environment_url else ''} "
            f"{_link(status.log_url, 'log') if status.log_url else ''}</li>"
            for status in deployment.statuses
        )
        return (
            f'<li class="card"><strong>{escape(deployment.environment)}</strong> {_tag(state)} '
            f"<code>{escape(deployment.sha[:12])}</code> by "
            f"{escape(self.state.users[deployment.creator_id].login)}"
            f"<details><summary>History</summary><ul>{history}</ul></details></li>"
        )

    def commit(self, request: web.Request, repo: Repository) -> str:
        found = repo.commits[repo.resolve(request.match_info["sha"])]
        before = repo.commits[found.parents[0]].tree if found.parents else {}
        rows = "".join(
            f"<li>{_tag(how)} <code>{escape(path)}</code></li>"
            for path, how in changed_paths(before, found.tree).items()
        )
        body = f"<p>{escape(found.author.name)} · <code>{found.sha}</code></p><pre>{escape(found.message)}</pre>"
        return self._frame(repo, found.message.partition("\n")[0], f"{body}<ul>{rows}</ul>")

    def run(self, request: web.Request, repo: Repository) -> str:
        found = self.scenario.run(repo, int(request.match_info["number"]))
        gates = "".join(
            f'<li class="card">{escape(gate.environment)} {_tag(gate.state)}'
            f"{''.join(_markdown(comment) for comment in gate.comments)}</li>"
            for gate in repo.gates
            if gate.run_id == found.id
        )
        full, sha = escape(self.state.full_name(repo)), found.head_sha
        body = (
            f"<p>{_tag(found.conclusion or found.status)} {escape(found.event)} · attempt {found.attempt} · "
            f'<a href="/{full}/commit/{sha}"><code>{sha[:12]}</code></a></p><ul>{gates}</ul>'
        )
        return self._frame(repo, f"{found.path} #{found.number}", body)

    def check(self, request: web.Request, repo: Repository) -> str:
        found = self._found(request, repo)
        output = "".join(_markdown(str(found.output.get(key) or "")) for key in ("summary", "text"))
        buttons = "".join(
            f'<button name="identifier" value="{escape(action["identifier"])}" title="{escape(action["description"])}">'
            f"{escape(action['label'])}</button>"
            for action in found.actions
        )
        form = f'<form method="post">{self._people(repo)}{buttons}</form>' if buttons else ""
        faults = "".join(
            f"<li><code>{escape(each['path'])}:{each['start_line']}</code> {escape(each['message'])}</li>"
            for each in found.annotations
        )
        title = str(found.output.get("title") or found.name)
        word = _tag(found.conclusion or found.status)
        return self._frame(
            repo, title, f"<p>{escape(found.name)} {word}</p><article>{output}</article><ul>{faults}</ul>{form}"
        )

    def _found(self, request: web.Request, repo: Repository) -> CheckRun:
        found = repo.checks.get(int(request.match_info["number"]))
        if found is None:
            raise Misused("no such check run")
        return found

    def say(self, request: web.Request, repo: Repository, form: dict[str, str]) -> None:
        number = int(request.match_info["number"])
        self.scenario.comment(self.state.full_name(repo), number, form["login"], form["text"])

    def press(self, request: web.Request, repo: Repository, form: dict[str, str]) -> None:
        number = int(request.match_info["number"])
        self.scenario.click(self.state.full_name(repo), number, form["identifier"], form["login"])


def pages(scenario: Scenario) -> web.Application:
    """The site as an application."""
    site = Pages(scenario)

    def show(page: Page) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            try:
                text = page(request, _repo(scenario, request))
            except (Misused, Problem) as fault:
                raise web.HTTPNotFound(text=str(fault)) from None
            policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
            headers = {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"}
            return web.Response(text=text, content_type="text/html", headers=headers)

        return handle

    def do(act: Act) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            origin = request.headers.get("Origin")
            if origin not in (None, f"{request.scheme}://{request.host}"):
                raise web.HTTPForbidden(text="from another site")
            form = {key: str(value) for key, value in (await request.post()).items()}
            try:
                act(request, _repo(scenario, request), form)
            except (Misused, Problem, KeyError) as fault:
                raise web.HTTPBadRequest(text=str(fault)) from None
            raise web.HTTPSeeOther(request.path)

        return handle

    async def index(_: web.Request) -> web.Response:
        names = sorted(scenario.github.state.full_name(repo) for repo in scenario.github.state.repositories.values())
        rows = "".join(f'<li class="card"><a href="/{escape(name)}/">{escape(name)}</a></li>' for name in names)
        page = f"<!doctype html><title>Pretend GitHub</title><style>{_STYLE}</style><h1>All</h1><ul>{rows}</ul>"
        return web.Response(text=page, content_type="text/html")

    app = web.Application()
    app.router.add_get("/", index)
    for path, page in (
        ("", site.overview),
        ("/", site.overview),
        ("/pull/{number:[0-9]+}", site.pull),
        ("/deployments", site.deployments),
        ("/runs/{number:[0-9]+}", site.check),
        ("/commit/{sha:[0-9a-f]+}", site.commit),
        ("/actions/runs/{number:[0-9]+}", site.run),
    ):
        app.router.add_get("/{owner}/{repo}" + path, show(page))
    app.router.add_post("/{owner}/{repo}/pull/{number:[0-9]+}", do(site.say))
    app.router.add_post("/{owner}/{repo}/runs/{number:[0-9]+}", do(site.press))
    return app


def _repo(scenario: Scenario, request: web.Request) -> Repository:
    return scenario.repo(f"{request.match_info['owner']}/{request.match_info['repo']}")
