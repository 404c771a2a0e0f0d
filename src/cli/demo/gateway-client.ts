import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { Alert, type CreateAlertRequest } from '../../contract/alert.ts'
import { ErrorBody } from '../../contract/error.ts'
import { CreateInteractionResponse } from '../../contract/interaction.ts'
import { PopularResponse } from '../../contract/popular-list.ts'
import type { Popularity } from '../../contract/popularity.ts'
import type { Product } from '../../contract/product.ts'
import { RecommendResponse } from '../../contract/recommendation.ts'
import { SimilarityRun } from '../../contract/similarity-run.ts'
import { signatureOf } from '../../external/webhook-signature.ts'
import { networkReasonOf } from '../import/batch-sender.ts'
import { StartError } from '../../main/config/start-error.ts'

export interface GatewayOptions {
  /** Without a slash at its end. */
  gatewayUrl: string
  key?: string | undefined
  /** Signs payment callbacks. */
  paymentSecret?: string | undefined
  /** Ends the pause between attempts. A running attempt is awaited. */
  signal: AbortSignal
  /** Receives the reason why a batch is sent again. */
  print: (line: string) => void
}

/** Where each kind of item goes, several in the named list of a body or one as the body. */
export const ADDRESSES = {
  interactions: '/api/v1/analytic/interaction',
  events: '/api/v1/analytics-events',
  search: '/api/v1/search',
  payment: '/api/v1/orders/payment/callback',
} as const

export interface GatewayClient {
  /** Sends a list of items until it is answered; undefined when it was interrupted before. @throws StartError when the gateway refuses it. */
  record: (list: 'interactions' | 'events', items: readonly object[]) => Promise<CreateInteractionResponse | undefined>
  /** The same for one item. */
  recordOne: (kind: 'search' | 'payment', item: object) => Promise<CreateInteractionResponse | undefined>
  /** Sends the catalog once. @returns why it could not be sent, or undefined. */
  sell: (products: readonly Product[]) => Promise<Refusal | undefined>
  /** Makes an alert that is off, so that nothing is sent, unless there is one of its name. @returns why it could not be made. */
  watch: (alert: CreateAlertRequest) => Promise<Refusal | undefined>
  /** The best products by trending score; undefined while they cannot be read. @throws StartError when the key may not read them. */
  top: () => Promise<Popularity[] | undefined>
  /** What to show a shopper; undefined while it cannot be read. */
  recommend: (accountId: string, limit: number) => Promise<RecommendResponse | undefined>
  /** Starts to compute similar products. @returns the run, or the one that is open already. */
  computeSimilar: () => Promise<{ run: SimilarityRun; isOpenAlready: boolean } | Refusal>
  similarRun: (id: string) => Promise<SimilarityRun | undefined>
}

/** Why something was not done. */
export interface Refusal {
  problem: string
}

/** The gateway refused a request, and would again. */
class RefusedError extends StartError {
  readonly status: number
  constructor(message: string, status: number) {
    super(message)
    this.status = status
  }
}
const CONFLICT = 409

const ALERTS = '/api/v1/alerts'
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
const OneAlert = z.object({ data: Alert })
const Alerts = z.object({ data: z.array(Alert) })
const Run = z.object({ data: SimilarityRun })
const Runs = z.object({ data: z.array(SimilarityRun) })

/** Calls the gateway as any client would: REST, one key, and the same request again when there was no answer. */
export function createGatewayClient({ gatewayUrl, key, paymentSecret, signal, print }: GatewayOptions): GatewayClient {
  const keyed = { 'content-type': 'application/json', ...(key !== undefined && { authorization: `Bearer ${key}` }) }
  const ask = (path: string, init: RequestInit = {}, headers: Record<string, string> = keyed) =>
    attempt(gatewayUrl, path, { ...init, headers })
  const post = (path: string, body: string) => ask(path, { method: 'POST', body })
  /** A signature is of now, so each attempt has its own. */
  const postSigned = (body: string) =>
    ask(
      ADDRESSES.payment,
      { method: 'POST', body },
      { ...keyed, 'x-signature': signatureOf(body, paymentSecret ?? '', Date.now()) },
    )
  const untilAnswered = async (what: string, send: () => Promise<Answer>) => {
    const giveUpAt = performance.now() + PATIENCE_MS
    for (let pauseMs = PAUSE_MS_FIRST; ; pauseMs = Math.min(pauseMs * 2, PAUSE_MS_MAX)) {
      const answer = await send()
      if ('json' in answer) return Recorded.parse(answer.json).data
      if (signal.aborted) return undefined
      if (performance.now() > giveUpAt) throw new StartError(`${answer.problem}, for ${PATIENCE_MS / 60_000} minutes.`)
      const waitMs = answer.retryAfterMs ?? pauseMs
      print(`${answer.problem}; sending the same ${what} again in ${waitMs / 1_000} s.`)
      await sleep(waitMs, undefined, { signal }).catch(() => undefined)
      if (signal.aborted) return undefined
    }
  }
  const read = async <T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> => {
    const answer = await ask(path)
    return 'json' in answer ? schema.parse(answer.json) : undefined
  }
  return {
    record: (list, items) => {
      const body = JSON.stringify({ [list]: items })
      return untilAnswered(`${items.length} events`, () => post(ADDRESSES[list], body))
    },
    recordOne: (kind, item) => {
      const body = JSON.stringify(item)
      return untilAnswered(kind, () => (kind === 'payment' ? postSigned(body) : post(ADDRESSES[kind], body)))
    },
    sell: async (products) => {
      const answer = await post('/api/v1/catalog/products', JSON.stringify({ products })).catch(asProblem)
      return 'json' in answer ? undefined : { problem: answer.problem }
    },
    watch: async (alert) => {
      const there = await ask(ALERTS).catch(asProblem)
      if (!('json' in there)) return there
      if (Alerts.parse(there.json).data.some(({ name }) => name === alert.name)) return undefined
      const made = await post(ALERTS, JSON.stringify(alert)).catch(asProblem)
      if (!('json' in made)) return made
      const body = JSON.stringify({ is_on: false })
      const off = await ask(`${ALERTS}/${OneAlert.parse(made.json).data.id}`, { method: 'PATCH', body }).catch(asProblem)
      return 'json' in off ? undefined : off
    },
    top: async () => (await read(`/api/v1/products/popular?limit=${TOP_LIMIT}`, PopularResponse))?.data,
    recommend: (accountId, limit) =>
      read(`/api/v1/recommendations?account_id=${encodeURIComponent(accountId)}&limit=${limit}`, RecommendResponse),
    computeSimilar: async () => {
      const answer = await post('/api/v1/similarity-runs', '{}').catch(asProblem)
      if ('json' in answer) return { run: Run.parse(answer.json).data, isOpenAlready: false }
      const [newest] = (answer.status === CONFLICT && (await read('/api/v1/similarity-runs?limit=1', Runs))?.data) || []
      return newest === undefined ? { problem: answer.problem } : { run: newest, isOpenAlready: true }
    },
    similarRun: async (id) => (await read(`/api/v1/similarity-runs/${id}`, Run))?.data,
  }
}

/** A refusal that ends only what was refused. */
function asProblem(error: unknown): Refusal & { status: number } {
  if (error instanceof RefusedError) return { problem: error.message, status: error.status }
  throw error
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
type Answer = { json: unknown } | { problem: string; status?: number; retryAfterMs?: number | undefined; neverAnswered?: string }

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
  const advice = keyless ? ': give a key that may record and read, by --key or FOOTFALL_KEY' : ''
  throw new RefusedError(`${problem}${advice}.`, response.status)
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
