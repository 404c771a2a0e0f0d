import type { z } from 'zod'
import { ErrorBody } from '../../contract/error.ts'
import { StartError } from '../../main/config/start-error.ts'
import { networkReasonOf } from '../import/batch-sender.ts'

export interface GatewayAddress {
  /** Without a slash at its end. */
  url: string
  key: string | undefined
}

interface Asked {
  method?: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  body?: object
  headers?: Readonly<Record<string, string>>
}

/** The gateway, as commands call it: each request once. */
export interface Gateway {
  url: string
  /** @returns the answer by its status. @throws GatewayError for an answer that is an error, or none. */
  ask: <T>(answer: z.ZodType<T>, path: string, asked?: Asked) => Promise<{ status: number; answer: T }>
  /** The body of an answer while it arrives. @throws GatewayError */
  stream: (path: string) => Promise<AsyncIterable<Uint8Array>>
}

/** The gateway refused a request, or did not answer it. */
export class GatewayError extends StartError {
  /** Undefined when there was no answer. */
  readonly status: number | undefined
  readonly details: unknown

  constructor(message: string, { status, details, cause }: { status?: number; details?: unknown; cause?: unknown }) {
    super(message, { cause })
    this.status = status
    this.details = details
  }
}

/** More than the 10 s after which the gateway gives up, so that its answer arrives. */
const ANSWER_MS_MAX = 15_000

export function connectGateway({ url, key }: GatewayAddress): Gateway {
  const authorization = key === undefined ? {} : { authorization: `Bearer ${key}` }
  const send = async (path: string, { method = 'GET', body, headers }: Asked, signal?: AbortSignal): Promise<Response> => {
    const init = {
      method,
      headers: { ...authorization, ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal !== undefined && { signal }),
    }
    const response = await fetch(`${url}${path}`, init).catch((cause: unknown) => {
      throw unanswered(url, cause)
    })
    if (!response.ok) throw await refusalOf(url, response)
    return response
  }
  return {
    url,
    ask: async (schema, path, asked = {}) => {
      const response = await send(path, asked, AbortSignal.timeout(ANSWER_MS_MAX))
      const json: unknown = await response.json().catch(() => undefined)
      const { data, success } = schema.safeParse(json)
      if (!success) throw new GatewayError(`The server at ${url} is not a gateway of this release.`, { status: response.status })
      return { status: response.status, answer: data }
    },
    stream: async (path) => {
      const { body } = await send(path, {})
      return body ?? (async function* () {})()
    },
  }
}

function unanswered(url: string, cause: unknown): GatewayError {
  const advice = 'run npm start first, or give the address with --gateway'
  return new GatewayError(`No gateway answers at ${url} (${networkReasonOf(cause)}): ${advice}.`, { cause })
}

async function refusalOf(url: string, response: Response): Promise<GatewayError> {
  const { status } = response
  const { data } = ErrorBody.safeParse(await response.json().catch(() => undefined))
  if (data === undefined)
    return new GatewayError(`The server at ${url} answered ${status}, and is no gateway of Footfall.`, { status })
  const { message, details } = data.error
  const advice = status === 401 || status === 403 ? ': give a key that may do this, by --key or FOOTFALL_KEY' : ''
  return new GatewayError(`The gateway at ${url} answered ${status} (${message})${advice}.`, { status, details })
}
