// Two libraries of another language read our documents and tokens as they read anybody's.
// In: one JSON object on standard input. Out: what each of them said, as JSON. http on loopback is the one exception.
import { readFileSync } from 'node:fs'
import * as jose from 'jose'
import * as oauth from 'oauth4webapi'

const given = JSON.parse(readFileSync(0, 'utf8'))
const loopback = { [oauth.allowInsecureRequests]: true }
const issuer = new URL(given.issuer)
const metadata = await oauth
  .discoveryRequest(issuer, { algorithm: 'oidc', ...loopback })
  .then((response) => oauth.processDiscoveryResponse(issuer, response))

async function bearer(token, audience) {
  const request = new Request(issuer, { headers: { authorization: `Bearer ${token}` } })
  return oauth.validateJwtAccessToken(metadata, request, audience, loopback)
}

const keys = jose.createRemoteJWKSet(new URL(metadata.jwks_uri))
const attempts = {
  access: () => bearer(given.token, given.audience),
  access_jose: async () =>
    (await jose.jwtVerify(given.token, keys, { issuer: given.issuer, audience: given.audience, typ: 'at+jwt' })).payload,
  assertion: async () =>
    (await jose.jwtVerify(given.assertion, keys, { issuer: given.issuer, audience: given.entra })).payload,
  other_audience: () => bearer(given.token, 'https://somebody.example'),
  assertion_as_access: () => bearer(given.assertion, given.audience),
  changed: () => bearer(given.token.slice(0, -6) + 'AAAAAA', given.audience),
}
const said = {}
for (const [name, attempt] of Object.entries(attempts)) {
  said[name] = await attempt().then((claims) => ({ claims }), (fault) => ({ refused: fault.code ?? fault.name }))
}
console.log(JSON.stringify(said))
