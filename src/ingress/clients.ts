import { randomUUID } from 'node:crypto'
import * as clients from '@restatedev/restate-sdk-clients'
import type {
  HandlerDescriptor,
  InferInput,
  InferOutput,
  ObjectDescriptor,
  ServiceDescriptor,
} from '@restatedev/restate-sdk-core'
import { isForOperators, OPERATOR_TOKEN_HEADER } from '../contract/handler.ts'
import { addressesIn, fetchFrom } from './addresses.ts'
import { type Attach, attacherTo, followed } from './attach.ts'
import { traceHeaders } from './trace-headers.ts'

const ANSWER_MS_MAX = 10_000

type Handlers = Record<string, HandlerDescriptor>
/** A service or an object, as src/contract describes it. */
type Api<H extends Handlers> = ServiceDescriptor<string, H> | ObjectDescriptor<string, H>

export interface ReadOptions {
  /** The key of an object; services have none. */
  key?: string
  /** How long to wait for the answer, retries included. The ingress's own deadline unless given. */
  deadlineMs?: number
}

export interface CallOptions extends ReadOptions {
  /** A random one when undefined. */
  idempotencyKey?: string | undefined
  /** Further headers, which the handler sees. */
  headers?: Readonly<Record<string, string>> | undefined
  /** Instead of a deadline. Several calls with one signal share its deadline. */
  signal?: AbortSignal
}

/**
 * Calls of our own services through Restate's ingress, with a deadline and the headers of the active trace. A handler's decision is
 * thrown as an HttpCallError, see `refusalOf`; an outage is recognised by `isOutage`.
 */
export interface Ingress {
  deadlineMs: number
  /**
   * Runs a handler once, however often the client repeats the call: all attempts carry the same idempotency key. A recording handler that
   * found PostgreSQL away is waited for until its items are recorded.
   */
  call: <H extends Handlers, N extends keyof H & string>(
    api: Api<H>,
    handler: N,
    input: InferInput<H[N]>,
    options?: CallOptions,
  ) => Promise<InferOutput<H[N]>>
  /** The same for an input that is JSON already; the bytes are sent as they are. */
  callWithJson: <H extends Handlers, N extends keyof H & string>(
    api: Api<H>,
    handler: N,
    json: Uint8Array,
    options?: CallOptions,
  ) => Promise<InferOutput<H[N]>>
  /** Resolves as soon as Restate has the call, and does not wait for its end. */
  send: <H extends Handlers, N extends keyof H & string>(
    api: Api<H>,
    handler: N,
    input: InferInput<H[N]>,
    options?: CallOptions,
  ) => Promise<Sent>
  /** The same for an input that is JSON already. */
  sendWithJson: <H extends Handlers>(
    api: Api<H>,
    handler: keyof H & string,
    json: Uint8Array,
    options?: CallOptions,
  ) => Promise<Sent>
  /** Waits for the end of an invocation, and of those that record its items when it found PostgreSQL away. */
  waitForEnd: Attach
  /** Calls a handler that only reads: without an idempotency key, so that Restate keeps no answer, and without retries. */
  read: <H extends Handlers, N extends keyof H & string>(
    api: Api<H>,
    handler: N,
    input: InferInput<H[N]>,
    options?: ReadOptions,
  ) => Promise<InferOutput<H[N]>>
}

export interface Sent {
  invocationId: string
  /** False when Restate had a call with this idempotency key before. */
  isNew: boolean
}

export interface IngressOptions {
  /** The address of the ingress, or several of the same Restate with commas between them. */
  url: string
  /** How long to wait for an answer, retries included. */
  deadlineMs?: number
  /** Sent with calls of the handlers that are for operators, and with no others, because Restate keeps the headers of its calls. */
  operatorToken?: string | undefined
}

/** Opens no connection by itself: each call is an HTTP request. */
export function createIngress({ url, deadlineMs = ANSWER_MS_MAX, operatorToken }: IngressOptions): Ingress {
  const connection = clients.connect({ ...connectionTo(url), retry: true })
  const attach = attacherTo(url)
  const headersFor = (handler: HandlerDescriptor) => ({
    ...traceHeaders(),
    ...(operatorToken !== undefined && isForOperators(handler) && { [OPERATOR_TOKEN_HEADER]: operatorToken }),
  })
  const readOptions = (handler: HandlerDescriptor, options: ReadOptions = {}) => ({
    // One deadline for all attempts; the SDK's `timeout` would be that of each attempt.
    signal: AbortSignal.timeout(options.deadlineMs ?? deadlineMs),
    headers: headersFor(handler),
  })
  const callOptions = (
    handler: HandlerDescriptor,
    { signal, idempotencyKey = randomUUID(), headers, ...options }: CallOptions = {},
  ) => {
    const usual = signal === undefined ? readOptions(handler, options) : { signal, headers: headersFor(handler) }
    return { ...usual, headers: { ...headers, ...usual.headers }, idempotencyKey }
  }
  /** The SDK ignores the key of a service, so that one way serves services and objects. */
  const clientOf = <H extends Handlers, N extends keyof H>(api: Api<H>, { key = '' }: ReadOptions = {}) =>
    connection.client(api as ObjectDescriptor<string, H>, key) as unknown as Methods<N, InferOutput<H[N]>>
  const sendWithJson: Ingress['sendWithJson'] = async (api, handler, json, { key = '', ...options } = {}) => {
    const client = connection.sendClient(api as ObjectDescriptor<string, Record<string, HandlerDescriptor<unknown>>>, key)
    const sendOptions = clients.rpc.sendOpts({ ...callOptions(api._handlers[handler]!, options), input: JSON_INPUT })
    const { invocationId, status } = await client[handler]!(json, sendOptions)
    return { invocationId, isNew: status === 'Accepted' }
  }
  return {
    deadlineMs,
    call: async (api, handler, input, options) => {
      const { signal, ...others } = callOptions(api._handlers[handler]!, options)
      const answer = await clientOf(api, options)[handler](input, clients.rpc.opts({ signal, ...others }))
      return followed(answer, (id) => attach(id, signal))
    },
    callWithJson: async (api, handler, json, options) => {
      const { signal, ...others } = callOptions(api._handlers[handler]!, options)
      const answer = await clientOf(api, options)[handler](json, clients.rpc.opts({ signal, ...others, input: JSON_INPUT }))
      return followed(answer, (id) => attach(id, signal))
    },
    send: (api, handler, input, options) => sendWithJson(api, handler, Buffer.from(JSON.stringify(input)), options),
    sendWithJson,
    waitForEnd: attach,
    read: (api, handler, input, options) =>
      clientOf(api, options)[handler](input, clients.rpc.opts(readOptions(api._handlers[handler]!, options))),
  }
}

/**
 * How the SDK's client reaches several addresses. It writes the first one before each path, which is taken off again.
 */
export function connectionTo(addresses: string): { url: string; fetch: typeof fetch } {
  const url = addressesIn(addresses)[0]!
  return {
    url,
    fetch: (asked, init) => fetchFrom(addresses, (asked as string).slice(url.length), init),
  }
}

/** What an SDK client has, without the types of its inputs, which `Ingress` checks. */
type Methods<N extends PropertyKey, Output> = Record<N, (input: unknown, options: object) => Promise<Output>>

const JSON_INPUT: clients.Serde<unknown> = {
  contentType: 'application/json',
  serialize: (json) => json as Uint8Array,
  deserialize: () => {
    throw new Error('JSON_INPUT only serializes')
  },
}
