#!/usr/bin/env bash
# ID token -> deploy token -> promotion -> its end. Needs bash, curl and python3, which every runner of GitHub has.
#
# Tokens are written to files that nobody else may read, handed to curl by file, masked, and removed at the end; none is
# ever an argument that other processes could see. Whatever Miso answers is somebody else's text by the time it is
# printed, so workflow commands are stopped around it.
set -euo pipefail
umask 077

here="$(mktemp -d "${RUNNER_TEMP:-${TMPDIR:-/tmp}}/miso.XXXXXXXX")"
trap 'rm -rf "$here"' EXIT
export MISO_HERE="$here"

fail() {
  printf '::error title=Miso::%s\n' "$1"
  exit 1
}

# Fields of the last answer, printing for people, outputs: `answer <verb> [argument]`.
answer() {
  python3 -c '
import json, os, re, secrets, sys

verb, *given = sys.argv[1:]
place = os.path.join(os.environ["MISO_HERE"], "answer")
try:
    with open(place, encoding="utf-8") as file:
        said = json.load(file)
except (OSError, ValueError):
    said = {}
said = said if isinstance(said, dict) else {}


def line(text, most=800):
    shown = "".join(c if c.isprintable() else " " for c in str(text))[:most]
    return shown.replace("##[", "# #[").strip()


def field(name, form):
    found = said.get(name)
    text = "" if found is None else str(found).lower() if isinstance(found, bool) else str(found)
    return text if re.fullmatch(form, text) else ""


if verb == "field":
    print(field(given[0], given[1]))
elif verb == "body":
    print(json.dumps({
        "application_id": os.environ["MISO_APPLICATION_ID"],
        "environment_id": os.environ["MISO_ENVIRONMENT_ID"],
    }))
elif verb == "outputs":
    with open(os.environ.get("GITHUB_OUTPUT") or os.devnull, "a", encoding="utf-8") as file:
        file.write("promotion=" + field("id", r"promotion-[0-9a-f]{24}") + "\n")
        file.write("status=" + field("status", r"[a-z_]{1,40}") + "\n")
        file.write("url=" + field("url", r"https?://[A-Za-z0-9.:\[\]-]{1,300}") + "\n")
elif verb == "says":
    stop = secrets.token_hex(16)
    print("::stop-commands::" + stop)
    print("> " + line(said.get("says") or said.get("status") or "no answer", 200))
    print("::" + stop + "::")
elif verb == "why":
    stop = secrets.token_hex(16)
    print("::stop-commands::" + stop)
    for name in ("detail", "error_description", "hint"):
        if said.get(name):
            print("> " + line(said[name]))
    marks = {"fail": "✗", "unknown": "?", "skipped": "⚠", "pass": "✓"}
    rules = said.get("rules")
    for rule in rules if isinstance(rules, list) else []:
        if isinstance(rule, dict):
            code = " (" + line(rule.get("code"), 60) + ")" if rule.get("code") else ""
            print(marks.get(rule.get("state"), "?") + " " + line(rule.get("title"), 200) + code)
            for more in (rule.get("text"), "Who can change it: " + str(rule["who"]) if rule.get("who") else ""):
                if more:
                    print("|   " + line(more))
    print("::" + stop + "::")
' "$@"
}

# One question: the status is printed, the answer kept. 000 where there was none.
ask() {
  rm -f "$here/answer"
  curl --silent --show-error --max-time 60 --proto '=https,http' --output "$here/answer" --write-out '%{http_code}' "$@" \
    2>"$here/trouble" || true
}

mask() {
  printf '::add-mask::%s\n' "$1"
}

bearer() {
  printf 'Authorization: Bearer %s' "$1" >"$2"
}

log_in() {
  local status token
  bearer "$ACTIONS_ID_TOKEN_REQUEST_TOKEN" "$here/job"
  status="$(ask --get --data-urlencode "audience=$MISO_AUDIENCE" --header "@$here/job" "$ACTIONS_ID_TOKEN_REQUEST_URL")"
  token="$(answer field value '[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+')"
  [[ "$status" == 200 && -n "$token" ]] || fail "GitHub gave no ID token (status $status)."
  mask "$token"
  printf '%s' "$token" >"$here/subject"
  status="$(ask \
    --data-urlencode 'grant_type=urn:ietf:params:oauth:grant-type:token-exchange' \
    --data-urlencode 'subject_token_type=urn:ietf:params:oauth:token-type:id_token' \
    --data-urlencode "subject_token@$here/subject" \
    --data-urlencode "application_id=$MISO_APPLICATION_ID" \
    --data-urlencode "subscription_id=$MISO_SUBSCRIPTION_ID" \
    --data-urlencode "environment_id=$MISO_ENVIRONMENT_ID" \
    "$MISO_URL/oidc/token")"
  rm -f "$here/subject"
  if [[ "$status" != 200 ]]; then
    return 1
  fi
  token="$(answer field access_token '[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+')"
  [[ -n "$token" ]] || fail "Miso gave no token."
  mask "$token"
  bearer "$token" "$here/bearer"
}

refused() {
  answer why
  fail "$1: $(answer field code '[a-z_]{1,60}')"
}

MISO_URL="${MISO_URL%/}"
MISO_AUDIENCE="${MISO_AUDIENCE:-$MISO_URL}"
[[ "$MISO_URL" =~ ^https://[A-Za-z0-9.:-]+(/[A-Za-z0-9._~/-]*)?$ ||
  "$MISO_URL" =~ ^http://(127\.0\.0\.1|localhost)(:[0-9]+)?$ ]] || fail "miso-url must be an https address."
[[ -n "${ACTIONS_ID_TOKEN_REQUEST_URL:-}" && -n "${ACTIONS_ID_TOKEN_REQUEST_TOKEN:-}" ]] ||
  fail "The job needs 'permissions: id-token: write'."
[[ "$MISO_TIMEOUT" =~ ^[0-9]{1,5}$ ]] || fail "timeout must be a number of seconds."

log_in || refused "Miso gave no token"
answer body >"$here/body"
status="$(ask --header "@$here/bearer" --header 'Content-Type: application/json' --data-binary "@$here/body" \
  "$MISO_URL/api/v1/promotions")"
[[ "$status" == 202 ]] || refused "Miso did not take it (status $status)"
promotion="$(answer field id 'promotion-[0-9a-f]{24}')"
[[ -n "$promotion" ]] || fail "Miso named no promotion."
answer outputs
answer says

deadline=$((SECONDS + MISO_TIMEOUT))
known="$(answer field version '[0-9]{1,9}')" open="$(answer field open 'true|false')"
while [[ "$MISO_WAIT" == true && "$open" == true ]]; do
  ((SECONDS < deadline)) || fail "It is still under way; the wait is over."
  status="$(ask --header "@$here/bearer" "$MISO_URL/api/v1/promotions/$promotion?wait=20&version=$known")"
  case "$status" in
    200) ;;
    401) # The token's minutes are over, and the deployment takes longer.
      log_in || refused "Miso gave no new token"
      continue
      ;;
    000 | 429 | 5??)
      sleep 5
      continue
      ;;
    *) refused "Miso does not say how it stands (status $status)" ;;
  esac
  [[ "$(answer field version '[0-9]{1,9}')" == "$known" ]] || answer says
  known="$(answer field version '[0-9]{1,9}')" open="$(answer field open 'true|false')"
done

answer outputs
if [[ "$MISO_WAIT" == true && "$(answer field status '[a-z_]{1,40}')" != live ]]; then
  refused "It is not live"
fi
