import { createHmac } from 'node:crypto'
import type { RequestListener } from 'node:http'
import { exportSPKI, importJWK, type CryptoKey } from 'jose'
import { afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { DecidedError } from '../../src/contract/decided-error.ts'
import { ISSUER_ASKED_MS_MIN, ISSUER_KEYS_MS_MAX, createSellerTokens } from '../../src/gateway/access/seller-tokens.ts'
import {
  type Claims,
  claimsOf,
  encoded,
  type TokenIssuer,
  makeSigningKey,
  sign,
  type SigningKey,
  startTokenIssuer,
} from '../harness/clients/token-issuer.ts'

let issuer: TokenIssuer
let first: SigningKey
let second: SigningKey
let third: SigningKey
let away: unknown[]

beforeAll(async () => {
  first = await makeSigningKey('first')
  second = await makeSigningKey('second')
  third = await makeSigningKey('third')
})
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date', 'performance'] })
  away = []
  issuer = await startTokenIssuer()
  issuer.publish(first, second)
})
afterEach(async () => {
  vi.useRealTimers()
  await issuer.stop()
})

type Verifier = (token: string) => Promise<string>

const verifier = (settings = {}): Verifier => {
  const sellerOf = createSellerTokens({ ...issuer.settings, ...settings }, (error) => void away.push(error))
  return async (token) => (await sellerOf(token)).sellerId
}
const seconds = () => Math.floor(Date.now() / 1_000)
const tokenOf = (claims: Claims = {}, key = first, header = {}) =>
  sign(key, { ...claimsOf(issuer, 'north-light'), ...claims }, header)

/** The seller, or the code and sentence of the problem. */
async function outcomeOf(sellerOf: Verifier, token: string): Promise<string> {
  return sellerOf(token).catch((error: unknown) => {
    if (!(error instanceof DecidedError)) throw error
    return `${error.code}: ${error.message}`
  })
}

test("a valid token names its seller, and many tokens need one request for the issuer's keys", async () => {
  const sellerOf = verifier()
  const tokens = await Promise.all(['north-light', 'süd 🛒', 'x'.repeat(200)].map((id) => tokenOf({ seller_id: id })))
  expect(await Promise.all(tokens.map(sellerOf))).toEqual(['north-light', 'süd 🛒', 'x'.repeat(200)])
  expect(await sellerOf(await tokenOf({}, second))).toBe('north-light')
  expect([issuer.asked(), away]).toEqual([1, []])
})

test.each(['RS256', 'PS384', 'ES256', 'ES512', 'EdDSA', 'Ed25519'])('a token may be signed with %s', async (alg) => {
  const key = await makeSigningKey('own', alg)
  issuer.publish(key)
  expect(await verifier()(await tokenOf({}, key))).toBe('north-light')
})

test('the audience may be a list, and the claim may have another name', async () => {
  const claim = 'https://shop.example/seller'
  const token = await tokenOf({ aud: ['shop', 'footfall'], seller_id: 'other', [claim]: 'mine' })
  expect(await verifier({ claim })(token)).toBe('mine')
})

const NOT_OF_ISSUER = 'the token is not signed with a key of its issuer'
const NOT_ACCEPTED = 'the token is not signed in a way that is accepted'
const WITHOUT_END = 'the token does not say when it expires (exp)'

/** Each token by its fault. */
const WRONG: [name: string, token: () => string | Promise<string>, sentence: string][] = [
  ['another issuer', () => tokenOf({ iss: 'https://elsewhere.example' }), 'the token is of another issuer'],
  ['no issuer', () => tokenOf({ iss: undefined }), 'the token is of another issuer'],
  ['another audience', () => tokenOf({ aud: 'shop' }), 'the token is for another audience'],
  ['other audiences', () => tokenOf({ aud: ['shop', 'footfal'] }), 'the token is for another audience'],
  ['no audience', () => tokenOf({ aud: undefined }), 'the token is for another audience'],
  ['an end that was', () => tokenOf({ exp: seconds() - 5 }), 'the token has expired'],
  ['a beginning that will be', () => tokenOf({ nbf: seconds() + 6 }), 'the token is not valid yet'],
  ['no end', () => tokenOf({ exp: undefined }), WITHOUT_END],
  ['a text as end', () => tokenOf({ exp: String(seconds() + 60) }), WITHOUT_END],
  ["another's signature", () => tokenOf({}, { ...third, kid: 'first' }), NOT_OF_ISSUER],
  ['the kid of another key', () => tokenOf({}, first, { kid: 'second' }), NOT_OF_ISSUER],
  ['an unknown kid', () => tokenOf({}, third), NOT_OF_ISSUER],
  [
    'no kid where keys are several',
    () => tokenOf({}, first, { kid: undefined }),
    'the token does not say with which key it is signed (kid)',
  ],
  ['another seller put in', putIn, NOT_OF_ISSUER],
  ['no signature, and saying so', () => unsigned('none'), NOT_ACCEPTED],
  ['no signature', () => unsigned('ES256'), NOT_OF_ISSUER],
  [
    'the public key as a secret',
    async () => macWith(await exportSPKI((await importJWK(first.publicJwk, 'ES256')) as CryptoKey)),
    NOT_ACCEPTED,
  ],
  ['the published key as a secret', () => macWith(JSON.stringify(first.publicJwk)), NOT_ACCEPTED],
  [
    'a key that it brings',
    () => tokenOf({}, third, { jwk: third.publicJwk, kid: undefined }),
    'the token does not say with which key it is signed (kid)',
  ],
  ['an address of keys that it brings', () => tokenOf({}, third, { jku: 'http://127.0.0.1:1/jwks' }), NOT_OF_ISSUER],
  [
    'something critical that is unknown',
    () => `${encoded({ alg: 'ES256', crit: ['x'], x: 1 })}.e30.AA`,
    'the token cannot be read',
  ],
  ['no JSON', () => 'a.b.c', 'the token cannot be read'],
  ['no claims', async () => (await tokenOf()).replace(/\..*\./, '..'), NOT_OF_ISSUER],
]

async function putIn(): Promise<string> {
  const [header, , signature] = (await tokenOf()).split('.')
  return [header, encoded(claimsOf(issuer, 'another')), signature].join('.')
}

function unsigned(alg: string): string {
  return `${encoded({ alg, kid: 'first' })}.${encoded(claimsOf(issuer, 'north-light'))}.`
}

function macWith(secret: string): string {
  const signed = `${encoded({ alg: 'HS256', kid: 'first' })}.${encoded(claimsOf(issuer, 'north-light'))}`
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}

test.each(WRONG)('a token with %s is refused, and the sentence says why', async (_name, make, sentence) => {
  expect(await outcomeOf(verifier(), await make())).toBe(`unauthorized: ${sentence}`)
})

test('clocks may differ by some seconds', async () => {
  const sellerOf = verifier()
  expect(await sellerOf(await tokenOf({ exp: seconds() - 4 }))).toBe('north-light')
  expect(await sellerOf(await tokenOf({ nbf: seconds() + 5 }))).toBe('north-light')
})

test('a token expires while it is in use', async () => {
  const sellerOf = verifier()
  const token = await tokenOf({ exp: seconds() + 60 })
  expect(await outcomeOf(sellerOf, token)).toBe('north-light')
  vi.advanceTimersByTime(65_000)
  expect(await outcomeOf(sellerOf, token)).toBe('unauthorized: the token has expired')
})

test.each([
  ['nothing', undefined],
  ['null', null],
  ['a number', 7],
  ['a list', ['north-light']],
  ['an object', { id: 'north-light' }],
  ['an empty text', ''],
  ['201 characters', 'x'.repeat(201)],
  ['NUL', 'a\0b'],
  ['half of a pair', '\ud800'],
])('a token with %s as its seller is allowed nothing', async (_name, seller) => {
  expect(await outcomeOf(verifier(), await tokenOf({ seller_id: seller }))).toBe(
    'forbidden: the token names no seller in its claim seller_id',
  )
})

test('a new key of the issuer is read when the last read is some seconds old', async () => {
  const sellerOf = verifier()
  const token = await tokenOf({}, third)
  expect(await outcomeOf(sellerOf, token)).toBe(`unauthorized: ${NOT_OF_ISSUER}`)
  issuer.publish(second, third)
  vi.advanceTimersByTime(ISSUER_ASKED_MS_MIN - 1)
  expect(await outcomeOf(sellerOf, token)).toBe(`unauthorized: ${NOT_OF_ISSUER}`)
  expect(issuer.asked()).toBe(1)
  vi.advanceTimersByTime(1)
  expect(await outcomeOf(sellerOf, token)).toBe('north-light')
  expect(issuer.asked()).toBe(2)
  // The same answer removed the keys that the issuer no longer publishes.
  expect(await outcomeOf(sellerOf, await tokenOf())).toBe(`unauthorized: ${NOT_OF_ISSUER}`)
})

test('a flood of unknown keys causes one read in some seconds', async () => {
  const sellerOf = verifier()
  const flood = await Promise.all(Array.from({ length: 50 }, (_, n) => tokenOf({}, third, { kid: `unknown ${n}` })))
  for (let round = 1; round <= 3; round++) {
    expect(new Set(await Promise.all(flood.map((token) => outcomeOf(sellerOf, token))))).toEqual(
      new Set([`unauthorized: ${NOT_OF_ISSUER}`]),
    )
    expect(issuer.asked()).toBe(round)
    vi.advanceTimersByTime(ISSUER_ASKED_MS_MIN)
  }
})

test('a key that the issuer withdrew is valid until the keys are too old, then never again', async () => {
  const sellerOf = verifier()
  const token = await tokenOf()
  expect(await sellerOf(token)).toBe('north-light')
  issuer.publish(second)
  vi.advanceTimersByTime(ISSUER_KEYS_MS_MAX - 1)
  expect(await outcomeOf(sellerOf, token)).toBe('north-light')
  vi.advanceTimersByTime(1)
  const outcomes = await Promise.all(Array.from({ length: 20 }, () => outcomeOf(sellerOf, token)))
  expect(new Set(outcomes)).toEqual(new Set([`unauthorized: ${NOT_OF_ISSUER}`]))
  // One read because of their age. The key is now unknown and causes no second read.
  expect(issuer.asked()).toBe(2)
})

const answering =
  (status: number, body: string, headers = {}): RequestListener =>
  (_request, response) =>
    void response.writeHead(status, headers).end(body)

/** Each by the issuer's failure. */
const AWAY: [name: string, answer: RequestListener][] = [
  ['breaks connections', (request) => void request.socket.destroy()],
  ['answers 500', answering(500, '{"keys":[]}')],
  ['sends elsewhere', answering(302, '', { location: '/other' })],
  ['answers no JSON', answering(200, '<html>')],
  ['answers no keys', answering(200, '{"error":"later"}')],
]
const UNAVAILABLE = 'unavailable: the issuer of the token does not answer; try again'

test.each(AWAY)('while the issuer %s, its known keys stay valid', async (_name, answer) => {
  const sellerOf = verifier()
  const token = await tokenOf(endless())
  expect(await outcomeOf(sellerOf, token)).toBe('north-light')
  issuer.become(answer)
  for (let asked = 2; asked <= 4; asked++) {
    vi.advanceTimersByTime(ISSUER_KEYS_MS_MAX)
    expect(await Promise.all([token, token, token].map((one) => outcomeOf(sellerOf, one)))).toEqual(
      Array.from({ length: 3 }, () => 'north-light'),
    )
    expect([issuer.asked(), away.length]).toEqual([asked, asked - 1])
  }
  // Whether the issuer has that key is unknown.
  vi.advanceTimersByTime(ISSUER_ASKED_MS_MIN)
  const unknown = await tokenOf(endless(), third)
  expect(await outcomeOf(sellerOf, unknown)).toBe(UNAVAILABLE)
  expect(await outcomeOf(sellerOf, unknown)).toBe(UNAVAILABLE)
  expect(issuer.asked()).toBe(5)
  issuer.publish(third)
  vi.advanceTimersByTime(ISSUER_ASKED_MS_MIN)
  expect(await outcomeOf(sellerOf, unknown)).toBe('north-light')
  expect(await outcomeOf(sellerOf, token)).toBe(`unauthorized: ${NOT_OF_ISSUER}`)
})

const endless = () => ({ exp: seconds() + 1_000_000 })

test.each(AWAY)('an issuer that %s from the start is read again after some seconds', async (_name, answer) => {
  issuer.become(answer)
  const sellerOf = verifier()
  const token = await tokenOf()
  for (let asked = 1; asked <= 3; asked++) {
    expect(await outcomeOf(sellerOf, token)).toBe(UNAVAILABLE)
    expect(await outcomeOf(sellerOf, token)).toBe(UNAVAILABLE)
    expect([issuer.asked(), away.length]).toEqual([asked, asked])
    vi.advanceTimersByTime(ISSUER_ASKED_MS_MIN)
  }
  issuer.publish(first)
  expect(await outcomeOf(sellerOf, token)).toBe('north-light')
})

test('the wait for an issuer that accepts a request and does not answer is short', async () => {
  const sellerOf = verifier()
  const token = await tokenOf()
  expect(await outcomeOf(sellerOf, token)).toBe('north-light')
  issuer.become(() => undefined)
  vi.advanceTimersByTime(ISSUER_KEYS_MS_MAX)
  expect(await outcomeOf(sellerOf, token)).toBe('north-light')
  expect(away).toHaveLength(1)
})

test("a fault in the issuer's key is not reported as a fault of the token", async () => {
  const { privateKey } = first
  const { d } = (await crypto.subtle.exportKey('jwk', privateKey)) as { d: string }
  issuer.publish({ ...first, publicJwk: { ...first.publicJwk, d } })
  await expect(verifier()(await tokenOf())).rejects.not.toBeInstanceOf(DecidedError)
})
