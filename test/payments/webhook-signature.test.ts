import { createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { requireRecentSignature, requireSignature } from '../../src/gateway/access/webhook-signature.ts'
import { DecidedError } from '../../src/contract/decided-error.ts'

const NOW_MS = 1_772_366_400_000
const NOW = NOW_MS / 1_000
const BODY = Buffer.from('{"amount":1}')
const SECRET = 'the secret of the shop'

function signed(time: number | string = NOW, { body = BODY, secret = SECRET } = {}): string {
  return `t=${time},v1=${createHmac('sha256', secret).update(`${time}.`).update(body).digest('hex')}`
}

function refusalOf(header: string | string[] | undefined, { body = BODY, secrets = [SECRET] } = {}): string | undefined {
  try {
    requireSignature({ name: 'x-signature', header, body, secrets, nowMs: NOW_MS })
    return undefined
  } catch (error) {
    if (error instanceof DecidedError && error.code === 'unauthorized') return error.message
    throw error
  }
}

test('a signature of body and time is valid from 5 minutes before to 5 minutes after', () => {
  for (const time of [NOW, NOW - 300, NOW + 300]) expect(refusalOf(signed(time))).toBeUndefined()
  expect(refusalOf(signed(NOW - 301))).toMatch(/older than 5 minutes/)
  expect(refusalOf(signed(NOW + 301))).toMatch(/from the future/)
})

test('while the secret is rotated, both secrets are valid, on both sides', () => {
  const old = 'the secret of last year'
  expect(refusalOf(signed(NOW, { secret: old }), { secrets: [SECRET, old] })).toBeUndefined()
  expect(refusalOf(signed(), { secrets: [old, SECRET] })).toBeUndefined()
  expect(refusalOf(`${signed(NOW, { secret: old })},${signed().split(',')[1]}`)).toBeUndefined()
  expect(refusalOf(signed(NOW, { secret: old }))).toMatch(/not the signature/)
})

test('a change of one character in the body, time or signature is refused', () => {
  const header = signed()
  for (let place = 0; place < BODY.length; place++) {
    const body = Buffer.from(BODY)
    body[place]! ^= 1
    expect(refusalOf(header, { body })).toMatch(/not the signature/)
  }
  expect(refusalOf(header.replace(`t=${NOW}`, `t=${NOW + 1}`))).toMatch(/not the signature/)
  expect(refusalOf(header.replace(/.$/, (last) => (last === '0' ? '1' : '0')))).toMatch(/not the signature/)
})

describe.each([
  ['none', undefined],
  ['an empty one', ''],
  ['one without a time', signed().split(',')[1]!],
  ['one without a signature', `t=${NOW}`],
  ['two times', `t=${NOW},${signed()}`],
  ['a time with a sign', signed(`+${NOW}`)],
  ['a time that is no number', signed('now')],
  ['a fraction', signed('1772366400.5')],
  ['a signature that is no hex', `t=${NOW},v1=${'z'.repeat(64)}`],
  ['a shorter one', signed().slice(0, -2)],
  ['another scheme', signed().replace('v1=', 'v0=')],
  ['hundreds of them', `t=${NOW}${',v1=00'.repeat(300)}`],
  ['an empty secret', signed(NOW, { secret: '' })],
])('%s', (_name, header) => {
  test('is refused', () => expect(refusalOf(header)).toMatch(/x-signature|sign the body/))
})

test.each(['', '00', 'z'.repeat(64)])('a signature that cannot be one, "%s", is refused without the body', (v1) => {
  const shown = { name: 'x-signature', header: `t=${NOW},v1=${v1}`, nowMs: NOW_MS }
  expect(() => requireRecentSignature(shown)).toThrow(/must be t=/)
})

test('without a secret no signature is valid', () => {
  expect(refusalOf(signed(NOW, { secret: '' }), { secrets: [] })).toMatch(/not the signature/)
})
