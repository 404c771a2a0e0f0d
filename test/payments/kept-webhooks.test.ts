import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { PaymentAdapter } from '../../src/contract/payment-adapter.ts'
import type { KeepWebhookRequest } from '../../src/contract/payment-webhook.ts'
import { type ArrivedWebhook, arrivedFrom, keptWebhookOf, mapWebhook } from '../../src/gateway/recording/map-webhook.ts'
import type { WebhookOutcome } from '../../src/gateway/http/observer.ts'
import type { Ingress } from '../../src/ingress/clients.ts'
import { SETTINGS } from '../harness/servers/gateway.ts'
import { offlineGateway } from '../harness/servers/offline-gateway.ts'
import { SILENT_OBSERVER } from '../harness/servers/silent-observer.ts'

const CALLBACK = {
  callback_id: 'c-1',
  payment_ref: 'p-1',
  order_id: 'o-1',
  status: 'pending',
  currency: 'EUR',
  occurred_at: '2026-03-01T12:00:00Z',
} as const

const JSON_TYPE = 'application/json'
const FORM_TYPE = 'application/x-www-form-urlencoded'

/** What Restate was asked to keep; undefined once it is away. */
interface Sent {
  keeps: KeepWebhookRequest[]
  /** How many callbacks it was asked to record. */
  recorded: number
  outcomes: WebhookOutcome[]
  notKept: number
}

interface Setup {
  keepsIgnored?: boolean
  isAway?: boolean
  secretBytes?: number
}

async function gatewayWith(
  adapter: Partial<PaymentAdapter>,
  { keepsIgnored = true, isAway = false, secretBytes = 1e9 }: Setup = {},
) {
  const sent: Sent = { keeps: [], recorded: 0, outcomes: [], notKept: 0 }
  const seen = new Set<string>()
  const callWithJson = async (_api: unknown, handler: string, json: Uint8Array) => {
    if (isAway) throw new TypeError('fetch failed', { cause: new Error('refused') })
    const request = JSON.parse(json.toString()) as KeepWebhookRequest & { callbacks?: unknown[] }
    if (handler !== 'KeepWebhook') {
      const accepted = { accepted: 1, duplicates: 0, duplicate_indexes: [], rejected: [] }
      sent.recorded += request.callbacks!.length
      return { results: request.callbacks!.map(() => accepted) }
    }
    sent.keeps.push(request)
    const isNew = !seen.has(request.sha256)
    seen.add(request.sha256)
    return { is_new: isNew }
  }
  const observer = {
    ...SILENT_OBSERVER,
    webhook: (_provider: string, outcome: WebhookOutcome) => void sent.outcomes.push(outcome),
    notKept: (count: number) => void (sent.notKept += count),
  }
  const own = { provider: 'own', signatureHeader: 'x-own', isSigned: () => true, ...adapter } as PaymentAdapter
  const gateway = await offlineGateway({
    ingress: { deadlineMs: 1_000, callWithJson } as unknown as Ingress,
    observer,
    settings: { ...SETTINGS, keepsIgnoredWebhooks: keepsIgnored },
    limits: { rejectionLimits: { secretBytes, publishableBytes: 0, addressBytes: 0 } },
    paymentWebhooks: { secrets: [], adapters: [own] },
  })
  const send = async (payload: string | Buffer, contentType = JSON_TYPE, headers: Record<string, string> = {}) => {
    const response = await gateway.app.inject({
      method: 'POST',
      url: '/api/v1/orders/payment/callback/own',
      headers: { 'content-type': contentType, 'x-own': 'signed', host: 'localhost', ...headers },
      payload,
    })
    return { status: response.statusCode, ...(response.json() as { data?: unknown; error?: { message: string } }) }
  }
  return { sent, send, [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose]() }
}

const failing = () => {
  throw new Error('no product')
}

test('a webhook that the adapter refuses is kept with its reason and body, and answered with 400', async () => {
  await using gateway = await gatewayWith({ callbacksOf: failing })
  const body = JSON.stringify({ id: 'evt_1', text: 'naïve' })
  expect(await gateway.send(body, 'Application/JSON; charset=utf-8')).toMatchObject({
    status: 400,
    error: { message: 'the adapter of own: no product' },
  })
  expect(gateway.sent.keeps).toEqual([
    {
      webhook: { provider: 'own', content_type: JSON_TYPE, headers: {}, form: 'json', body: { id: 'evt_1', text: 'naïve' } },
      sha256: createHash('sha256').update(body).digest('hex'),
      code: 'refused',
      message: 'the adapter of own: no product',
    },
  ])
  expect(gateway.sent.outcomes).toEqual(['refused'])
})

test.each<[string, () => unknown, string]>([
  ['an empty list', () => [], 'its adapter made no callback of it'],
  ['a reason', () => ({ ignored: 'a payment of another shop\nmore' }), 'a payment of another shop'],
])('a webhook that the adapter ignores with %s is kept with the reason, and answered with 200', async (_name, made, message) => {
  await using gateway = await gatewayWith({ callbacksOf: made as PaymentAdapter['callbacksOf'] })
  expect(await gateway.send('{}')).toEqual({
    status: 200,
    data: { accepted: 0, duplicates: 0, duplicate_indexes: [], rejected: [] },
  })
  expect(gateway.sent.keeps).toMatchObject([{ code: 'ignored', message }])
  expect(gateway.sent.outcomes).toEqual(['ignored'])
})

test('a webhook of which the adapter ignores a part is recorded, kept with the reasons, and counted as both', async () => {
  await using gateway = await gatewayWith({
    callbacksOf: () => [{ ignored: 'a report' }, CALLBACK, { ignored: 'of another shop' }],
  })
  expect(await gateway.send('{}')).toMatchObject({ status: 200, data: { accepted: 1 } })
  expect(gateway.sent.recorded).toBe(1)
  expect(gateway.sent.keeps).toMatchObject([{ code: 'ignored', message: 'in part: a report; of another shop' }])
  expect(gateway.sent.outcomes).toEqual(['mapped', 'ignored'])
})

test.each([[undefined], [''], ['  '], [5], [null]])('%j as the reason of ignoring is refused', async (ignored) => {
  await using gateway = await gatewayWith({ callbacksOf: () => ({ ignored: ignored as string }) })
  expect(await gateway.send('{}')).toMatchObject({
    status: 400,
    error: { message: 'the adapter of own: ignored must be a text: the reason' },
  })
})

test('a webhook that is mapped is recorded and not kept', async () => {
  await using gateway = await gatewayWith({ callbacksOf: () => [CALLBACK, { ...CALLBACK, callback_id: 'c-2' }] })
  expect(await gateway.send('{}')).toMatchObject({ status: 200, data: { accepted: 2 } })
  expect(gateway.sent).toMatchObject({ keeps: [], outcomes: ['mapped'] })
})

test('a webhook with a callback from the future is answered with 503, and nothing of it is recorded or kept', async () => {
  const early = { ...CALLBACK, callback_id: 'c-2', occurred_at: new Date(Date.now() + 3_600_000).toISOString() }
  await using gateway = await gatewayWith({ callbacksOf: () => [CALLBACK, early], acknowledgesRefused: true })
  expect(await gateway.send('{}')).toMatchObject({
    status: 503,
    error: { code: 'unavailable', message: expect.stringContaining('send the same callback again later') },
  })
  expect(gateway.sent).toEqual({ keeps: [], recorded: 0, outcomes: [], notKept: 0 })
})

test('ignored webhooks are only counted when none of them are kept', async () => {
  await using gateway = await gatewayWith({ callbacksOf: () => [] }, { keepsIgnored: false })
  expect((await gateway.send('{}')).status).toBe(200)
  expect(gateway.sent).toMatchObject({ keeps: [], outcomes: ['ignored'], notKept: 0 })
})

describe('while Restate is away', () => {
  test('a refused webhook is answered with the reason, also by an adapter that acknowledges it', async () => {
    await using gateway = await gatewayWith({ callbacksOf: failing, acknowledgesRefused: true }, { isAway: true })
    expect(await gateway.send('{}')).toMatchObject({ status: 400, error: { message: 'the adapter of own: no product' } })
    expect(gateway.sent.notKept).toBe(1)
  })

  test('an ignored webhook is answered with 503, so that it is sent again', async () => {
    await using gateway = await gatewayWith({ callbacksOf: () => [] }, { isAway: true })
    expect(await gateway.send('{}')).toMatchObject({ status: 503 })
  })
})

test('a refused webhook is answered with 202 by an adapter that acknowledges it', async () => {
  await using gateway = await gatewayWith({ callbacksOf: failing, acknowledgesRefused: true })
  const rejected = [{ index: 0, code: 'refused', field: null, message: 'the adapter of own: no product' }]
  expect(await gateway.send('{}')).toEqual({
    status: 202,
    data: { accepted: 0, duplicates: 0, duplicate_indexes: [], rejected },
  })
})

test('of a provider no more is kept in an hour than of a secret key, and the same webhook counts once', async () => {
  await using gateway = await gatewayWith({ callbacksOf: failing, acknowledgesRefused: true }, { secretBytes: 2_000 })
  for (let time = 0; time < 20; time++) expect((await gateway.send('{"n":0}')).status).toBe(202)
  const answers = []
  for (let n = 1; n < 20; n++) answers.push((await gateway.send(`{"n":${n}}`)).status)
  expect(new Set(answers)).toEqual(new Set([202, 400]))
  expect(answers.at(-1)).toBe(400)
  expect(gateway.sent.notKept).toBe(answers.filter((status) => status === 400).length)
})

describe('callbacksOf', () => {
  test.each([
    ['a form', FORM_TYPE, 'id=tr_1&x=%C3%A9'],
    ['a form with a charset', `${FORM_TYPE}; charset=UTF-8`, 'id=tr_1'],
    ['XML', 'application/xml', '<pay id="1"/>'],
    ['XML as text', 'text/xml; charset=iso-8859-1', Buffer.from('<pay id="\u00e9"/>', 'latin1')],
    ['bytes', 'application/octet-stream', Buffer.from([0, 255, 10])],
    ['an empty form', FORM_TYPE, ''],
  ])('gets %s as bytes', async (_name, contentType, body) => {
    const given: unknown[] = []
    const callbacksOf = (bytes: Uint8Array, context: unknown) => {
      given.push(bytes, context)
      return [CALLBACK]
    }
    await using gateway = await gatewayWith({ callbacksOf })
    expect((await gateway.send(body, contentType)).status).toBe(200)
    expect(given[0]).toBeInstanceOf(Uint8Array)
    expect(Buffer.from(given[0] as Uint8Array)).toEqual(Buffer.from(body))
    expect(given[1]).toEqual({ contentType: contentType.split(';')[0], headers: {} })
  })

  test.each(['application/json', 'text/json', 'text/plain', 'application/vnd.acme+json'])(
    'gets %s parsed',
    async (contentType) => {
      const given: unknown[] = []
      const callbacksOf = (json: unknown) => {
        given.push(json)
        return [CALLBACK]
      }
      await using gateway = await gatewayWith({ callbacksOf })
      expect((await gateway.send('{"id":1}', contentType)).status).toBe(200)
      expect(given).toEqual([{ id: 1 }])
    },
  )

  test('gets the headers that the adapter names, and no others', async () => {
    const given: unknown[] = []
    const callbacksOf = (_body: unknown, context: unknown) => {
      given.push(context)
      throw new Error('no')
    }
    const adapter = { headers: ['x-topic', 'x-absent'], callbacksOf: callbacksOf as PaymentAdapter['callbacksOf'] }
    await using gateway = await gatewayWith(adapter)
    await gateway.send('{}', JSON_TYPE, { 'X-Topic': 'orders/paid', authorization: 'Basic secret', cookie: 'a=b' })
    expect(given).toEqual([{ contentType: JSON_TYPE, headers: { 'x-topic': 'orders/paid' } }])
    expect(gateway.sent.keeps[0]!.webhook.headers).toEqual({ 'x-topic': 'orders/paid' })
    expect(JSON.stringify(gateway.sent.keeps)).not.toContain('secret')
    for (const topic of ['orders/paid', 'orders/updated']) await gateway.send('{}', JSON_TYPE, { 'x-topic': topic, 'x-try': '2' })
    const [first, again, other] = gateway.sent.keeps.map(({ sha256 }) => sha256)
    expect([again === first, other === first]).toEqual([true, false])
  })

  test('is not called before the signature is good', async () => {
    let calls = 0
    const callbacksOf = () => {
      calls++
      return []
    }
    await using gateway = await gatewayWith({ callbacksOf, isSigned: ({ body }) => Buffer.from(body).toString() === 'id=good' })
    expect((await gateway.send('id=bad', FORM_TYPE)).status).toBe(401)
    expect((await gateway.send('not JSON')).status).toBe(401)
    expect([calls, gateway.sent.keeps]).toEqual([0, []])
    expect((await gateway.send('id=good', FORM_TYPE)).status).toBe(200)
    expect(calls).toBe(1)
  })
})

test('a signed body that is not JSON is kept, although its content type says so', async () => {
  await using gateway = await gatewayWith({ callbacksOf: () => [CALLBACK] })
  expect(await gateway.send('id=tr_1')).toMatchObject({ status: 400, error: { message: /^the body is not JSON/ } })
  expect(gateway.sent.keeps).toMatchObject([{ code: 'refused', webhook: { form: 'text', body: 'id=tr_1' } }])
})

test('a message with NUL and half a surrogate pair is kept readable', async () => {
  await using gateway = await gatewayWith({
    callbacksOf: () => {
      throw new Error('a\0b\ud800')
    },
  })
  expect((await gateway.send('{}')).status).toBe(400)
  expect(gateway.sent.keeps[0]!.message).toBe('the adapter of own: a b\ufffd')
})

describe('a kept webhook gives its adapter the same when it is replayed:', () => {
  const deep = `${'['.repeat(500)}${']'.repeat(500)}`
  test.each<[string, string, string | Buffer, string]>([
    ['JSON', JSON_TYPE, '{"a":[1,2.5,"x\\u0000\\ud800"],"__proto__":{"b":1}}', 'json'],
    ['JSON that is deeply nested', JSON_TYPE, deep, 'text'],
    ['JSON with a number that is too large', JSON_TYPE, '{"n":1e999}', 'text'],
    ['a body that is not JSON', JSON_TYPE, '{', 'text'],
    ['a form', FORM_TYPE, 'a=1&b=%00', 'text'],
    ['Latin-1', 'text/xml', Buffer.from('<a>\u00e9</a>', 'latin1'), 'base64'],
    ['control characters', 'text/xml', '\u0001'.repeat(100), 'base64'],
    ['nothing', FORM_TYPE, '', 'text'],
  ])('%s', async (_name, contentType, body, form) => {
    const webhook: ArrivedWebhook = { body: Buffer.from(body), context: { contentType, headers: { 'x-topic': 'a' } } }
    const kept = keptWebhookOf('own', webhook)
    expect(kept.form).toBe(form)
    const read = arrivedFrom(JSON.parse(JSON.stringify(kept)) as typeof kept)
    const seen: unknown[] = []
    const callbacksOf = ((...given: unknown[]) => {
      seen.push(given)
      return []
    }) as PaymentAdapter['callbacksOf']
    const [first, again] = [
      await mapWebhook({ provider: 'own', callbacksOf }, webhook),
      await mapWebhook({ provider: 'own', callbacksOf }, read),
    ]
    expect(again).toEqual(first)
    expect(seen[1]).toEqual(seen[0])
  })

  test('also when the adapter changes what it got', async () => {
    const callbacksOf = (bytes: Uint8Array) => {
      bytes.fill(0)
      throw new Error('no')
    }
    await using gateway = await gatewayWith({ callbacksOf })
    await gateway.send('id=tr_1', FORM_TYPE)
    expect(gateway.sent.keeps[0]!.webhook.body).toBe('id=tr_1')
  })
})
