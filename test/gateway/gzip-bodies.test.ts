import { randomBytes } from 'node:crypto'
import { deflateSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { CreateInteractionResponse } from '../../src/contract/interaction.ts'
import { createBodyBudget } from '../../src/gateway/http/body-budget.ts'
import { inflate } from '../../src/gateway/http/inflate.ts'
import type { RequestEvents } from '../../src/gateway/recording/flush.ts'
import { SECRET_KEY, withKey } from '../harness/items/known-key.ts'
import { SETTINGS } from '../harness/servers/gateway.ts'
import { offlineGateway, type OfflineGateway } from '../harness/servers/offline-gateway.ts'

const PATH = '/api/v1/analytic/interaction'
const MIB = 1024 * 1024
const EVENT = { session_id: 's', event_type: 'view', ref_type: 'Product', ref_id: 'p', metadata: { text: 'grün 🛒' } }
const bodyOf = (count: number) => JSON.stringify({ interactions: Array(count).fill(EVENT) })

interface Answered {
  status: number
  error?: { code: string; message: string }
  data?: CreateInteractionResponse
}

async function post(gateway: OfflineGateway, payload: Buffer, more: Record<string, string> = {}, url = PATH): Promise<Answered> {
  const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip', ...more }
  const { statusCode: status, body } = await gateway.app.inject({ url, method: 'POST', headers, payload })
  return { status, ...(JSON.parse(body) as object) }
}

/** A gateway that records into a list. */
async function recordingGateway(changes = {}) {
  const recorded: RequestEvents[] = []
  const record = async (events: RequestEvents): Promise<CreateInteractionResponse> => {
    recorded.push(events)
    return { accepted: events.count, duplicates: 0, duplicate_indexes: [], rejected: [] }
  }
  const ways = { groupCommit: { record, length: () => ({ requests: 0, events: 0, bytes: 0 }) } }
  const recording = { ways: { interaction: ways }, rejections: { take: () => () => undefined } }
  const gateway = await offlineGateway({ recording: recording as never, ...changes })
  return { gateway, recorded, textOf: () => recorded.map(({ json }) => json.toString()) }
}

test.each(['gzip', 'GZIP', ' x-gzip '])('a body with content-encoding %j is recorded as without', async (encoding) => {
  const { gateway, textOf } = await recordingGateway()
  await using _ = gateway
  for (const count of [1, 50, 3_000]) {
    const { status, data } = await post(gateway, gzipSync(bodyOf(count)), { 'content-encoding': encoding })
    expect([status, data?.accepted]).toEqual([200, count])
  }
  expect(textOf()[0]).toContain('grün 🛒')
})

test('identity and an empty encoding are no compression', async () => {
  const { gateway } = await recordingGateway()
  await using _ = gateway
  for (const encoding of ['identity', '']) {
    expect((await post(gateway, Buffer.from(bodyOf(2)), { 'content-encoding': encoding })).status).toBe(200)
  }
})

test('a byte order mark before the JSON is ignored, compressed or not', async () => {
  const { gateway, textOf } = await recordingGateway()
  await using _ = gateway
  const marked = Buffer.from(`\ufeff${bodyOf(2)}`)
  for (const [payload, encoding] of [
    [gzipSync(marked), 'gzip'],
    [marked, 'identity'],
  ] as const) {
    const { status, data } = await post(gateway, payload, { 'content-encoding': encoding })
    expect([status, data?.accepted]).toEqual([200, 2])
  }
  expect(textOf().join('')).not.toContain('\ufeff')
})

test.each([
  ['br', gzipSync('{}')],
  ['deflate', deflateSync('{}')],
  ['gzip, gzip', gzipSync(gzipSync('{}'))],
])('the encoding %s is refused', async (encoding, payload) => {
  await using gateway = await offlineGateway()
  const { status, error } = await post(gateway, payload, { 'content-encoding': encoding })
  expect([status, error?.message]).toEqual([400, 'bodies are read without content-encoding, or with gzip'])
})

test.each([
  ['plain JSON', Buffer.from(bodyOf(1)), /^the body is not gzip: it has no header of gzip$/],
  ['nothing', Buffer.alloc(0), /^the body is not gzip: /],
  ['a gzip that breaks off', Buffer.concat([gzipSync(bodyOf(500)).subarray(0, -20), Buffer.alloc(4)]), /^the body is not gzip: /],
  ['a gzip with a wrong checksum', wrongChecksum(), /^the body is not gzip: incorrect data check$/],
  ['a gzip of no JSON', gzipSync('x'), /^the body is not JSON/],
  ['a gzip of bytes that are no UTF-8', gzipSync(Buffer.from([0x22, 0xff, 0x22])), /^the body is not UTF-8$/],
  ['a zip archive', Buffer.from('504b0304140000000800', 'hex'), /^the body is not gzip: /],
])('%s is refused with 400', async (_name, payload, message) => {
  await using gateway = await offlineGateway()
  const { status, error } = await post(gateway, payload)
  expect([status, error?.code]).toEqual([400, 'invalid_request'])
  expect(error?.message).toMatch(message)
})

function wrongChecksum(): Buffer {
  const bytes = gzipSync(bodyOf(1))
  bytes[bytes.length - 6]! ^= 1
  return bytes
}

describe('a body that grows', () => {
  const bomb = gzipSync(Buffer.alloc(20 * MIB))
  /** As above, but it says that it has 100 bytes. */
  const liar = Buffer.from(bomb)
  liar.writeUInt32LE(100, liar.length - 4)

  test('beyond the limit is refused with 413, also when it lies about its size or has several members', async () => {
    await using gateway = await offlineGateway()
    const members = Buffer.concat(Array.from({ length: 20 }, () => gzipSync(Buffer.alloc(MIB, 0x20))))
    for (const payload of [bomb, liar, members]) {
      expect(payload.length).toBeLessThan(64 * 1024)
      const { status, error } = await post(gateway, payload)
      expect([status, error?.code]).toEqual([413, 'too_large'])
      expect(error?.message).toMatch(/^the body is over 16 MiB/)
    }
  })

  test.each([
    ['says its size', bomb],
    ['lies about it', liar],
  ])('is inflated no further than the limit when it %s', async (_name, body) => {
    const taken: number[] = []
    const hold = { grow: (bytes: number) => void taken.push(bytes), release: () => undefined }
    await expect(inflate(body, { bytesMax: MIB, hold })).rejects.toThrow('over 1 MiB')
    expect(taken.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThanOrEqual(MIB)
  })

  test('beyond a limit is told from one that breaks off, at whatever byte', async () => {
    const hold = { grow: () => undefined, release: () => undefined }
    const whole = gzipSync(bodyOf(500))
    for (let length = 18; length < whole.length; length += 7) {
      const cut = inflate(whole.subarray(0, length), { bytesMax: 16 * MIB, hold })
      await expect(cut).rejects.toMatchObject({ code: 'invalid_request' })
    }
  })

  test('takes the larger of its two sizes of the budget, and gives it back', async () => {
    const budget = createBodyBudget({ bytesMax: 8 * MIB, clientBytesMax: 8 * MIB })
    const inflated = (body: Buffer) => {
      const hold = budget.hold('client', body.length)
      return { hold, bytes: inflate(body, { bytesMax: 16 * MIB, hold }) }
    }
    const first = inflated(gzipSync(Buffer.alloc(3 * MIB)))
    expect(await first.bytes).toHaveLength(3 * MIB)
    expect(budget.held()).toBe(3 * MIB)
    const unsaid = gzipSync(Buffer.alloc(6 * MIB))
    unsaid.writeUInt32LE(0, unsaid.length - 4)
    for (const body of [gzipSync(Buffer.alloc(6 * MIB)), unsaid]) {
      const { hold, bytes } = inflated(body)
      await expect(bytes).rejects.toThrow('too much arrives')
      hold.release()
    }
    first.hold.release()
    expect(budget.held()).toBe(0)
  })

  test('fits into the smallest budget when it is the largest body, and is too large beyond it', async () => {
    const budget = createBodyBudget({ bytesMax: 16 * MIB, clientBytesMax: 16 * MIB })
    const half = randomBytes(8 * MIB)
    for (const [zeros, isTooLarge] of [
      [8 * MIB, false],
      [8 * MIB + 1, true],
      [57 * MIB, true],
    ] as const) {
      const body = gzipSync(Buffer.concat([half, Buffer.alloc(zeros)]), { level: 1 })
      const hold = budget.hold('client', body.length)
      const bytes = inflate(body, { bytesMax: 16 * MIB, hold })
      if (isTooLarge) await expect(bytes).rejects.toMatchObject({ code: 'too_large' })
      else expect(await bytes).toHaveLength(16 * MIB)
      hold.release()
    }
  })

  test('beyond the budget is answered 503, and the room is free afterwards', async () => {
    const bodies = { bytesMax: MIB, clientBytesMax: MIB }
    const { gateway } = await recordingGateway({ settings: { ...SETTINGS, bodies } })
    await using _ = gateway
    for (let n = 0; n < 3; n++) {
      expect((await post(gateway, gzipSync(bodyOf(10_000)))).status).toBe(503)
      expect((await post(gateway, gzipSync(bodyOf(100)))).status).toBe(200)
    }
  })

  test('beyond 64 KiB is refused with a publishable key', async () => {
    await using gateway = await offlineGateway(withKey({ ...SECRET_KEY, isPublishable: true }))
    const payload = gzipSync(bodyOf(900))
    const { status, error } = await post(gateway, payload, {
      authorization: 'Bearer k',
      'content-length': String(payload.length),
    })
    expect([status, error?.message]).toEqual([413, 'the body is over 64 KiB'])
  })
})

test('many bombs of a caller are inflated one at a time, and the gateway answers others in between', async () => {
  await using gateway = await offlineGateway()
  const bomb = gzipSync(Buffer.alloc(20 * MIB))
  bomb.writeUInt32LE(100, bomb.length - 4)
  const answers = Array.from({ length: 5 }, () => post(gateway, bomb))
  expect((await gateway.app.inject('/health')).statusCode).toBe(200)
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual(Array(5).fill(413))
})

test('a signed body is not inflated', async () => {
  await using gateway = await offlineGateway({ paymentWebhooks: { secrets: ['s'.repeat(32)], adapters: [] } })
  const { status, error } = await post(gateway, gzipSync('{}'), {}, '/api/v1/orders/payment/callback')
  expect(status).toBe(400)
  expect(error?.message).toBe('signed bodies are read without content-encoding only')
})

test('every text comes out as it went in, at every size and compression', async () => {
  const hold = { grow: () => undefined, release: () => undefined }
  const texts = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 2_000 }),
    fc.string().map((text) => text.repeat(20_000)),
  )
  await fc.assert(
    fc.asyncProperty(texts, fc.integer({ min: 0, max: 9 }), async (text, level) => {
      const bytes = await inflate(gzipSync(text, { level }), { bytesMax: 16 * MIB, hold })
      expect(bytes.equals(Buffer.from(text))).toBe(true)
    }),
    { numRuns: 50 },
  )
})
