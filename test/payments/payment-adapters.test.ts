import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { DecidedError } from '../../src/contract/decided-error.ts'
import type { PaymentAdapter } from '../../src/contract/payment-adapter.ts'
import { adaptedCallbacks, requireAdapterSignature } from '../../src/gateway/recording/payment-webhook.ts'

const CALLBACK = {
  callback_id: 'c-1',
  payment_ref: 'p-1',
  order_id: 'o-1',
  status: 'success',
  currency: 'EUR',
  occurred_at: '2026-03-01T12:00:00Z',
  items: [{ product_id: 'lamp', quantity: 1, unit_price: 100 }],
}

// A rejection that nothing takes fails the run, too.
afterEach(() => void vi.useRealTimers())

function thrown(value: unknown) {
  return () => {
    throw value
  }
}

async function* generator() {
  yield CALLBACK
}

const withHole: unknown[] = [CALLBACK]
withHole[2] = CALLBACK

const hostileError = Object.defineProperty(new Error(), 'message', { get: thrown(undefined) })
const stackAsMessage = new Error()
stackAsMessage.message = `first line\n${new Error().stack}`

describe('callbacksOf', () => {
  test.each<[string, () => unknown, string]>([
    ['throws undefined', thrown(undefined), 'undefined was thrown, without a message'],
    ['throws null', thrown(null), 'null was thrown, without a message'],
    ['throws a text', thrown('no items'), 'no items'],
    ['throws an error whose message throws', thrown(hostileError), 'object was thrown, without a message'],
    ['throws an error with a stack in its message', thrown(stackAsMessage), 'first line'],
    ['throws an endless text', thrown('x'.repeat(1e6)), `${'x'.repeat(300)}…`],
    ['rejects with undefined', () => Promise.reject(), 'undefined was thrown, without a message'],
    ['returns nothing', () => undefined, 'callbacksOf must return a list, not undefined'],
    ['returns an object', () => ({ 0: CALLBACK, length: 1 }), 'callbacksOf must return a list, not an object'],
    ['returns a text', () => 'callbacks', 'callbacksOf must return a list, not a string'],
    ['returns a generator', generator, 'callbacksOf must return a list, not an object'],
    ['returns a list with a hole', () => withHole, 'callback 1 must be an object, not undefined'],
    ['returns a list with null', () => [CALLBACK, null], 'callback 1 must be an object, not null'],
    ['returns a list with a number', () => [1], 'callback 0 must be an object, not a number'],
    ['returns a list of lists', () => [[CALLBACK]], 'callback 0 must be an object, not a list'],
    ['returns a list with a promise', () => [Promise.reject(new Error('late'))], 'callback 0 must be an object, not a promise'],
    ['returns a very long list', () => new Array(1e9), 'made more than 100 callbacks'],
    [
      'returns a field that throws',
      () => [
        {
          ...CALLBACK,
          items: [
            {
              get product_id() {
                throw new Error('no')
              },
            },
          ],
        },
      ],
      'no',
    ],
    [
      'returns a callback with an unknown field',
      () => [{ ...CALLBACK, [`x${'y'.repeat(1e6)}`]: 1 }],
      `callback 0.x${'y'.repeat(197)} is not a known field`,
    ],
  ])('that %s is answered with a sentence', async (_name, callbacksOf, sentence) => {
    const adapter = { provider: 'acme', callbacksOf } as unknown as PaymentAdapter
    const error: DecidedError = await adaptedCallbacks(adapter, {}).catch((error) => error)
    expect(error).toMatchObject({ code: 'invalid_request', message: `the adapter of acme: ${sentence}` })
    expect(error.cause).toMatchObject({ message: error.message })
  })

  test.each([
    ['never resolves', () => new Promise(() => undefined)],
    ['rejects too late', () => sleep(60_000).then(() => Promise.reject(new Error('too late')))],
    ['answers too late', () => sleep(60_000, [CALLBACK])],
  ])('that %s is answered after 5 s', async (_name, callbacksOf) => {
    vi.useFakeTimers()
    const answer = adaptedCallbacks({ provider: 'acme', callbacksOf } as unknown as PaymentAdapter, {}).catch((error) => error)
    await vi.advanceTimersByTimeAsync(5_000)
    expect(await answer).toMatchObject({ code: 'invalid_request', message: 'the adapter of acme: gave no answer within 5 s' })
    await vi.advanceTimersByTimeAsync(60_000)
  })

  test('that returns callbacks gives copies of them, with the provider', async () => {
    const callbacksOf = async () => [CALLBACK, CALLBACK] as never
    expect(await adaptedCallbacks({ provider: 'acme', callbacksOf }, {})).toEqual({
      callbacks: [
        { ...CALLBACK, provider: 'acme' },
        { ...CALLBACK, provider: 'acme' },
      ],
    })
  })

  test('that ignores a part of a webhook gives the callbacks of the rest, and each reason once', async () => {
    const callbacksOf = () =>
      [{ ignored: 'a report' }, CALLBACK, { ignored: 'of another shop' }, { ignored: 'a report' }] as never
    expect(await adaptedCallbacks({ provider: 'acme', callbacksOf }, {})).toEqual({
      callbacks: [{ ...CALLBACK, provider: 'acme' }],
      ignored: 'a report; of another shop',
    })
    const wrong = () => [{ ignored: 'a report' }, { ...CALLBACK, status: 'paid' }] as never
    const error: DecidedError = await adaptedCallbacks({ provider: 'acme', callbacksOf: wrong }, {}).catch((error) => error)
    expect(error.message).toContain('callback 1.status')
  })
})

describe('isSigned', () => {
  test.each<[string, () => unknown, string]>([
    ['throws undefined', thrown(undefined), 'undefined was thrown, without a message'],
    ['rejects', () => Promise.reject(new Error('no key')), 'no key'],
    ['returns a text', () => 'yes', 'must return true or false, not a string'],
    ['returns a number', () => 1, 'must return true or false, not a number'],
    ['returns an object', () => ({ isSigned: true }), 'must return true or false, not an object'],
    ['returns nothing', () => undefined, 'must return true or false, not undefined'],
  ])('that %s is answered with 401, and its cause is logged', async (_name, isSigned, cause) => {
    const adapter = { provider: 'acme', isSigned } as unknown as PaymentAdapter
    const error: DecidedError = await requireAdapterSignature(adapter, {}, Buffer.from('{}')).catch((error) => error)
    expect(error).toMatchObject({ code: 'unauthorized', message: 'this was not signed by acme' })
    expect(String(error.cause)).toContain('isSigned of the adapter of acme')
    expect(String(error.cause)).toContain(cause)
  })

  test('that never resolves is answered with 401 after 5 s', async () => {
    vi.useFakeTimers()
    const adapter = { provider: 'acme', isSigned: () => new Promise(() => undefined) } as unknown as PaymentAdapter
    const answer = requireAdapterSignature(adapter, {}, Buffer.from('{}')).catch((error) => error)
    await vi.advanceTimersByTimeAsync(5_000)
    expect(await answer).toMatchObject({ code: 'unauthorized' })
  })

  test('decides with true and false', async () => {
    const signed = (isSigned: boolean) => ({ provider: 'acme', isSigned: () => isSigned }) as unknown as PaymentAdapter
    await requireAdapterSignature(signed(true), {}, Buffer.from('{}'))
    await expect(requireAdapterSignature(signed(false), {}, Buffer.from('{}'))).rejects.toMatchObject({ cause: undefined })
  })
})
