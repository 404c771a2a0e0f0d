import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ErasureRun } from '../../src/contract/erasure.ts'
import { instantOf } from '../../src/contract/fields/time.ts'
import type { Random } from '../../src/cli/demo/random.ts'
import type { CrashStack } from './stack.ts'

const ANSWER_MS_MAX = 15_000
const RESEND_MS = 50
/** How old a tracked event is at most. */
const EVENT_MS_MAX = 60_000
const PAID = 'paid'

/** An event of a person, which was sent until it was taken. */
export interface PersonEvent {
  eventId: string
  occurredAtMs: number
  /** When it was sent first. */
  sentMs: number
  /** `account:…` or `session:…`. */
  shopper: string
  productId: string
}

/** Thrown when the work is given up. */
export class AbandonedError extends Error {}

/** A person with an account and sessions. Everything is sent again until it is answered, some of it once more. */
export class Person {
  readonly account: string
  readonly events: PersonEvent[] = []
  /** What merges of each session were answered: the accounts. */
  readonly owners = new Map<string, Set<string>>()
  /** Each is a purchase of the account. */
  readonly payments: PersonEvent[] = []
  /** The erasure of the account that was answered last, once it has completed. */
  erasure: ErasureRun | undefined
  /** Statements of answers that no crash can explain. */
  readonly problems: string[] = []
  readonly #stack: Pick<CrashStack, 'gatewayUrl' | 'ingressUrl'>
  readonly #random: Random
  readonly #isAbandoned: () => boolean

  constructor(account: string, stack: Pick<CrashStack, 'gatewayUrl' | 'ingressUrl'>, random: Random, isAbandoned: () => boolean) {
    this.account = account
    this.#stack = stack
    this.#random = random
    this.#isAbandoned = isAbandoned
  }

  /** `POST /event` of a shopper, up to a minute before the instant; now and then resent. */
  async track(shopper: string, beforeMs: number): Promise<void> {
    const [kind, id] = [shopper.slice(0, shopper.indexOf(':')), shopper.slice(shopper.indexOf(':') + 1)]
    const event = {
      eventId: randomUUID(),
      occurredAtMs: beforeMs - this.#random.below(EVENT_MS_MAX),
      sentMs: Date.now(),
      shopper,
      productId: `p${this.#random.below(30)}`,
    }
    this.events.push(event)
    const body = {
      [`${kind}_id`]: id,
      event_id: event.eventId,
      occurred_at: instantOf(event.occurredAtMs),
      asin: event.productId,
      event_type: this.#random.pick(['view', 'add_to_cart', 'purchase']),
      metadata: { note: `of ${this.account}` },
    }
    const sends = this.#random.chance(0.3) ? 2 : 1
    for (let send = 0; send < sends; send++) await this.#ask('POST', '/api/v1/event', body, [202])
  }

  /** Merges a session into an account. The first one stays. */
  async merge(session: string, account: string): Promise<void> {
    for (;;) {
      const { status, json } = await this.#ask(
        'POST',
        `/api/v1/shoppers/session:${session}/merge`,
        { account_id: account },
        [200, 202, 409],
      )
      // It waits in Restate, and its outcome is seen by asking again.
      if (status === 202) continue
      const first = status === 200 ? (json.data!['account_id'] as string) : json.error?.details?.id
      // A merge from before an erasure names no account.
      if (first !== undefined) this.owners.set(session, (this.owners.get(session) ?? new Set()).add(first))
      return
    }
  }

  /** A payment of the account, older than the events that it tracks before the instant. */
  async pay(beforeMs: number): Promise<void> {
    const id = randomUUID()
    const occurredAtMs = beforeMs - EVENT_MS_MAX - 1
    this.payments.push({ eventId: id, occurredAtMs, sentMs: Date.now(), shopper: `account:${this.account}`, productId: PAID })
    const body = {
      provider: 'acme-pay',
      callback_id: id,
      payment_ref: `pay ${id}`,
      order_id: `order ${id}`,
      status: 'success',
      currency: 'EUR',
      account_id: this.account,
      occurred_at: instantOf(occurredAtMs),
      items: [{ product_id: PAID, quantity: 1 + this.#random.below(3), seller_id: 'north', unit_price: 500 }],
    }
    await this.#ask('POST', `${this.#stack.ingressUrl}/Analytic/RecordPayment`, body, [200])
  }

  /** Requests the erasure of the account, by itself or one of its sessions. */
  async requestErasure(shopper: string): Promise<ErasureRun> {
    const { json } = await this.#ask('DELETE', `/api/v1/shoppers/${shopper}`, undefined, [202])
    return json.data as unknown as ErasureRun
  }

  /** Resolves when the run has ended. */
  async erased(id: string): Promise<ErasureRun> {
    for (;;) {
      const { json } = await this.#ask('GET', `/api/v1/erasures/${id}`, undefined, [200])
      const run = json.data as unknown as ErasureRun
      if (run.status === 'failed') this.problems.push(`the erasure of ${this.account} failed: ${run.error_message}`)
      if (run.status === 'failed' || run.status === 'completed') return (this.erasure = run)
      await sleep(RESEND_MS)
    }
  }

  async #ask(method: string, path: string, body: object | undefined, statuses: readonly number[]): Promise<Answer> {
    const url = path.startsWith('http') ? path : `${this.#stack.gatewayUrl}${path}`
    for (;;) {
      if (this.#isAbandoned()) throw new AbandonedError(`abandoned: ${method} ${path}`)
      const patienceMs = this.#random.chance(0.1) ? 1 + this.#random.below(200) : ANSWER_MS_MAX
      const answer = await answerOf(url, method, body, patienceMs)
      if (answer !== undefined && statuses.includes(answer.status)) return answer
      if (answer !== undefined && answer.status < 500 && answer.status !== 404) {
        this.problems.push(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.json)}`)
        throw new AbandonedError(`refused: ${method} ${path}`)
      }
      await sleep(RESEND_MS)
    }
  }
}

interface Answer {
  status: number
  json: { data?: Record<string, unknown>; error?: { details?: { id?: string } } }
}

/** Undefined when the outcome is unknown. */
async function answerOf(url: string, method: string, body: object | undefined, patienceMs: number): Promise<Answer | undefined> {
  const headers = { 'content-type': 'application/json' }
  const content = body === undefined ? {} : { headers, body: JSON.stringify(body) }
  try {
    const response = await fetch(url, { method, ...content, signal: AbortSignal.timeout(patienceMs) })
    return { status: response.status, json: (await response.json()) as Answer['json'] }
  } catch {
    return undefined
  }
}
