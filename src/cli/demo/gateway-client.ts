import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { ErrorBody } from '../../contract/error.ts'
import { CreateInteractionResponse } from '../../contract/interaction.ts'
import { type Popularity, TopResponse } from '../../contract/popularity.ts'
import type { Product } from '../../contract/product.ts'
import { networkReasonOf } from '../import/batch-sender.ts'
import type { IdentifiedEvent } from './event.ts'
import { StartError } from '../../main/config/start-error.ts'

export interface GatewayOptions {
  /** Without a slash at its end. */
  gatewayUrl: string
  key?: string | undefined
  /** Ends the pause between attempts. A running attempt is awaited. */
  signal: AbortSignal
  /** Receives the reason why a batch is sent again. */
  print: (line: string) => void
}

export interface GatewayClient {
  /** Sends a batch until it is answered; undefined when it was interrupted before. @throws StartError when the gateway refuses it. */
  record: (events: readonly IdentifiedEvent[]) => Promise<CreateInteractionResponse | undefined>
  /** Sends the catalog once. @returns why it could not be sent, or undefined. */
  sell: (products: readonly Product[]) => Promise<{ problem: string } | undefined>
  /** The best products by score; undefined while they cannot be read. @throws StartError when the key may not read them. */
  top: () => Promise<Popularity[] | undefined>
}

/** More than the 10 s after which the gateway gives up, so that its answer arrives. */
const ATTEMPT_MS_MAX = 15_000
const PATIENCE_MS = 300_000
const PAUSE_MS_FIRST = 250
const PAUSE_MS_MAX = 10_000
const RETRY_AFTER_MS_MAX = 60_000
/** The most that a page can have. */
const TOP_LIMIT = 100

const Health = z.object({ status: z.literal('ok') })
const Recorded = z.object({ data: CreateInteractionResponse })

/** Calls the gateway as any client would: REST, one key, and the same request again when there was no answer. */
export function createGatewayClient({ gatewayUrl, key, signal, print }: GatewayOptions): GatewayClient {
  const headers = { 'content-type': 'application/json', ...(key !== undefined && { authorization: `Bearer ${key}` }) }
  const ask = (path: string, init: RequestInit = {}) => attempt(gatewayUrl, path, { ...init, headers })
  return {
    record: async (events) => {
      const body = JSON.stringify({ interactions: events })
      const giveUpAt = performance.now() + PATIENCE_MS
      for (let pauseMs = PAUSE_MS_FIRST; ; pauseMs = Math.min(pauseMs * 2, PAUSE_MS_MAX)) {
        const answer = await ask('/api/v1/analytic/interaction', { method: 'POST', body })
        if ('json' in answer) return Recorded.parse(answer.json).data
        if (signal.aborted) return undefined
        if (performance.now() > giveUpAt) throw new StartError(`${answer.problem}, for ${PATIENCE_MS / 60_000} minutes.`)
        const waitMs = answer.retryAfterMs ?? pauseMs
        print(`${answer.problem}; sending the same ${events.length} events again in ${waitMs / 1_000} s.`)
        await sleep(waitMs, undefined, { signal }).catch(() => undefined)
        if (signal.aborted) return undefined
      }
    },
    sell: async (products) => {
      const body = JSON.stringify({ products })
      const answer = await ask('/api/v1/catalog/products', { method: 'POST', body }).catch((error: unknown) => {
        if (error instanceof StartError) return { problem: error.message }
        throw error
      })
      return 'json' in answer ? undefined : { problem: answer.problem }
    },
    top: async () => {
      const answer = await ask(`/api/v1/analytic/popularity/top?limit=${TOP_LIMIT}`)
      return 'json' in answer ? TopResponse.parse(answer.json).data : undefined
    },
  }
}

/** @throws StartError when there is no gateway, because waiting for it would not help. */
export async function assertGateway(gatewayUrl: string): Promise<void> {
  const advice = 'run npm start first, or give the address with --gateway'
  const answer = await attempt(gatewayUrl, '/health').catch((error: unknown) => ({ error }))
  if ('neverAnswered' in answer) throw new StartError(`No gateway answers at ${gatewayUrl} (${answer.neverAnswered}): ${advice}.`)
  if ('json' in answer ? !Health.safeParse(answer.json).success : 'error' in answer)
    throw new StartError(`The server at ${gatewayUrl} is not a gateway of Footfall: ${advice}.`)
}

/** `problem` is a failure that a retry may cure; `neverAnswered` is the reason when there was no answer at all. */
type Answer = { json: unknown } | { problem: string; retryAfterMs?: number | undefined; neverAnswered?: string }

/** One request. @throws StartError on an answer that a retry would get again. */
async function attempt(gatewayUrl: string, path: string, init: RequestInit = {}): Promise<Answer> {
  const answer = await fetch(`${gatewayUrl}${path}`, { ...init, signal: AbortSignal.timeout(ATTEMPT_MS_MAX) })
    .then(async (response) => ({ response, text: await response.text() }))
    .catch((error: unknown) => ({ neverAnswered: networkReasonOf(error) }))
  if ('neverAnswered' in answer)
    return { ...answer, problem: `The gateway at ${gatewayUrl} does not answer (${answer.neverAnswered})` }
  const { response, text } = answer
  if (response.ok) return { json: jsonOf(text) }
  const problem = `The gateway at ${gatewayUrl} answered ${response.status} (${messageOf(text)})`
  if (response.status >= 500 || response.status === 429) return { problem, retryAfterMs: retryAfterMsOf(response) }
  const keyless = response.status === 401 || response.status === 403
  throw new StartError(keyless ? `${problem}: give a key that may record and read, by --key or FOOTFALL_KEY.` : `${problem}.`)
}

/** Undefined for a text that is not JSON, which every schema rejects. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function messageOf(text: string): string {
  const body = ErrorBody.safeParse(jsonOf(text))
  return body.success ? body.data.error.message : 'without a reason'
}

/** The wait that the gateway asks for, at most a minute. A date, the other form of the header, is ignored: then the backoff decides. */
function retryAfterMsOf(response: Response): number | undefined {
  const header = response.headers.get('retry-after')
  const seconds = header === null ? Number.NaN : Number(header)
  return seconds >= 0 ? Math.min(seconds * 1_000, RETRY_AFTER_MS_MAX) : undefined
}
