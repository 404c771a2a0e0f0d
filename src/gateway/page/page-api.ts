import type { FastifyInstance, FastifyRequest, InjectOptions } from 'fastify'
import { LRUCache } from 'lru-cache'
import type { ErrorBody } from '../../contract/error.ts'
import { addressOf, type QueryValues } from '../../page/template/address.ts'
import type { Answer } from '../../page/template/answer.ts'
import { callerIdOf } from '../access/caller.ts'
import { withinMs } from '../http/within-ms.ts'

/** Asks the REST API for its caller, in the process. */
export interface PageApi {
  get: <Body extends object>(path: string, query?: QueryValues, options?: AskOptions) => Promise<Answer<Body>>
  /** Asks by a body. It must change nothing, because a page that is opened by a link asks it too. */
  query: <Body extends object>(path: string, body: object) => Promise<Answer<Body>>
  /** Makes parts of a view once for all browsers of the caller that ask for the same address within a second. */
  share: <Parts>(address: string, make: () => Promise<Parts>) => Promise<Parts>
  send: <Body extends object>(method: 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: object) => Promise<Answer<Body>>
}

export interface AskOptions {
  /** For what hardly changes, or must be new; 0 is for what is not the same in each browser of a key. */
  keepMs?: number
  /** After so long the part says that no answer came. The question goes on, and the next one of the same caller shares it while it is kept. */
  msMax?: number
}

/** So old may an answer be. Lists are as old anyway, and all browsers of a key that watch a view share what it asks. */
const KEEP_MS = 1_000
const KEPT_MAX = 1_000
/** Parts of a view have some 30 kB. */
const SHARED_MAX = 200

/** What tells who calls, and from which page: the API decides by it as it does for a call from outside. */
const CALLER_HEADERS = [
  ...['authorization', 'x-management-key', 'cookie', 'host', 'origin', 'x-request-id'],
  ...['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto'],
  ...['sec-fetch-site', 'sec-fetch-mode', 'sec-fetch-dest', 'sec-fetch-user'],
]

/**
 * Every number of the page is one that the API answers to the same caller, so scopes and bounds are enforced in one place. Answers are kept
 * for a moment, for each caller by itself. A change drops them, so that a caller sees what it changed.
 */
export function createPageApi(app: FastifyInstance, msMax = KEEP_MS): (request: FastifyRequest) => PageApi {
  const kept = new LRUCache<string, Promise<Answer<object>>>({ max: KEPT_MAX, ttl: msMax, ttlResolution: 0, ttlAutopurge: true })
  const shared = new LRUCache<string, Promise<unknown>>({ max: SHARED_MAX, ttl: msMax, ttlResolution: 0, ttlAutopurge: true })
  return (request) => {
    const caller = callerIdOf(request)
    const get = async (path: string, query?: QueryValues, options: AskOptions = {}): Promise<Answer<object>> => {
      const answer = askOnce(path, query, options.keepMs ?? msMax)
      return options.msMax === undefined ? answer : ((await withinMs(answer, options.msMax)) ?? late(options.msMax))
    }
    const askOnce = (path: string, query: QueryValues | undefined, keepMs: number): Promise<Answer<object>> => {
      const url = addressOf(path, query)
      if (keepMs === 0) return ask(app, request, { method: 'GET', url }).catch(failed)
      const key = `${caller} ${url}`
      const known = kept.get(key)
      if (known !== undefined) return known
      const asked = ask(app, request, { method: 'GET', url }).catch(failed)
      kept.set(key, asked, { ttl: keepMs })
      // A problem passes, so it is not kept as long as an answer that hardly changes.
      void asked.then((answer) => 'error' in answer && kept.peek(key) === asked && kept.delete(key))
      return asked
    }
    const share = <Parts>(address: string, make: () => Promise<Parts>): Promise<Parts> => {
      const key = `${caller} ${address}`
      const known = shared.get(key) as Promise<Parts> | undefined
      if (known !== undefined) return known
      const making = make()
      shared.set(key, making)
      making.catch(() => shared.delete(key))
      return making
    }
    const send = async (method: InjectOptions['method'] & string, url: string, body?: object): Promise<Answer<object>> => {
      try {
        return await ask(app, request, { method, url, ...(body !== undefined && { payload: JSON.stringify(body) }) })
      } finally {
        kept.clear()
        shared.clear()
      }
    }
    const query = (url: string, body: object): Promise<Answer<object>> =>
      ask(app, request, { method: 'POST', url, payload: JSON.stringify(body), headers: asOfThePage(request) }).catch(failed)
    return { get: get as PageApi['get'], query: query as PageApi['query'], send: send as PageApi['send'], share }
  }
}

async function ask(app: FastifyInstance, request: FastifyRequest, options: InjectOptions): Promise<Answer<object>> {
  const contentType = options.payload === undefined ? {} : { 'content-type': 'application/json' }
  const answer = await app.inject({
    ...options,
    headers: { ...callerHeadersOf(request), ...contentType, ...options.headers },
    remoteAddress: request.socket.remoteAddress ?? '127.0.0.1',
  })
  return JSON.parse(answer.body || '{"data":null}') as Answer<object>
}

/** What a script of the opened page would send. */
function asOfThePage({ protocol, host }: FastifyRequest): Record<string, string> {
  return { origin: `${protocol}://${host}`, 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' }
}

function failed(): ErrorBody {
  return { error: { code: 'internal_error', message: 'this part could not be read' } }
}

function late(msMax: number): ErrorBody {
  return { error: { code: 'unavailable', message: `no answer came within ${msMax / 1_000} s` } }
}

function callerHeadersOf({ headers, id }: FastifyRequest): Record<string, string> {
  const shown = CALLER_HEADERS.flatMap((name) => {
    const value = headers[name]
    return typeof value === 'string' ? [[name, value] as const] : []
  })
  return { ...Object.fromEntries(shown), accept: 'application/json', 'x-request-id': id }
}
