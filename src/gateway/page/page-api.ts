import type { FastifyInstance, FastifyRequest, InjectOptions } from 'fastify'
import type { ErrorBody } from '../../contract/error.ts'
import { addressOf, type QueryValues } from '../../page/template/address.ts'
import type { Answer } from '../../page/template/answer.ts'

/** Asks the REST API for its caller, in the process. */
export interface PageApi {
  get: <Body extends object>(path: string, query?: QueryValues) => Promise<Answer<Body>>
  send: <Body extends object>(method: 'POST' | 'PUT' | 'DELETE', path: string, body?: object) => Promise<Answer<Body>>
}

/** What tells who calls, and from which page: the API decides by it as it does for a call from outside. */
const CALLER_HEADERS = [
  ...['authorization', 'x-management-key', 'cookie', 'host', 'origin', 'x-request-id'],
  ...['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto'],
  ...['sec-fetch-site', 'sec-fetch-mode', 'sec-fetch-dest', 'sec-fetch-user'],
]

/**
 * Every number of the page is one that the API answers to the same caller, so scopes and bounds are enforced in one place. A view that
 * asks the same twice gets one answer.
 */
export function pageApiOf(app: FastifyInstance, request: FastifyRequest): PageApi {
  const running = new Map<string, Promise<Answer<object>>>()
  const ask = async (method: InjectOptions['method'] & string, url: string, body?: object): Promise<Answer<object>> => {
    const answer = await app.inject({
      method,
      url,
      headers: { ...callerHeadersOf(request), ...(body !== undefined && { 'content-type': 'application/json' }) },
      remoteAddress: request.socket.remoteAddress ?? '127.0.0.1',
      ...(body !== undefined && { payload: JSON.stringify(body) }),
    })
    return JSON.parse(answer.body || '{"data":null}') as Answer<object>
  }
  const get = (path: string, query?: QueryValues): Promise<Answer<object>> => {
    const url = addressOf(path, query)
    const known = running.get(url)
    if (known !== undefined) return known
    const asked = ask('GET', url).catch(failed)
    running.set(url, asked)
    return asked
  }
  return {
    get: get as PageApi['get'],
    send: ((method, path, body) => ask(method, path, body)) as PageApi['send'],
  }
}

function failed(): ErrorBody {
  return { error: { code: 'internal_error', message: 'this part could not be read' } }
}

function callerHeadersOf({ headers, id }: FastifyRequest): Record<string, string> {
  const shown = CALLER_HEADERS.flatMap((name) => {
    const value = headers[name]
    return typeof value === 'string' ? [[name, value] as const] : []
  })
  return { ...Object.fromEntries(shown), accept: 'application/json', 'x-request-id': id }
}
