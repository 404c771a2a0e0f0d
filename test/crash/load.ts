import { EventEmitter, once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { RECORDERS } from '../../src/contract/recorder.ts'
import { Batches } from './batches.ts'
import { type Acknowledgement, type Call, problemsOf, RefusedCall, send } from './call.ts'
import { interaction, search } from './items.ts'
import { type Random, randomOf } from '../../src/cli/demo/random.ts'

const SENDERS = 4
/** The share of calls that send searches. */
const SEARCH_SHARE = 0.25
/** The share that is sent to a recorder. */
const RECORDER_SHARE = 0.4
const ANSWER_MS_MAX = 10_000
const RESEND_MS = 50
const PROGRESS_MS_MAX = 60_000

/** Senders that post batches through the ingress and send each one again until it is acknowledged. */
export class Load {
  readonly calls: Call[] = []
  /** Statements of answers that no crash can explain. */
  readonly problems: string[] = []
  readonly #ingressUrl: string
  readonly #seed: number
  readonly #batches = {
    CreateInteraction: new Batches('CreateInteraction', interaction),
    RecordSearches: new Batches('RecordSearches', search),
  }
  readonly #progress = new EventEmitter()
  readonly #senders: Promise<void>[] = []
  #acknowledged = 0
  #isEnding = false
  #isAbandoned = false

  constructor(ingressUrl: string, seed: number) {
    this.#ingressUrl = ingressUrl
    this.#seed = seed
  }

  start(): void {
    for (let n = 0; n < SENDERS; n++) this.#senders.push(this.#send(`sender ${n}`))
  }

  /** Resolves at the `count`-th acknowledgement from now. @throws when it does not come within 60 s, or on `broken`. */
  async acknowledgements(count: number, broken: AbortSignal): Promise<void> {
    const goal = this.#acknowledged + count
    const signal = AbortSignal.any([broken, AbortSignal.timeout(PROGRESS_MS_MAX)])
    while (this.#acknowledged < goal) {
      await once(this.#progress, 'acknowledged', { signal }).catch((cause: unknown) => {
        throw new Error(`stuck: ${goal - this.#acknowledged} acknowledgements did not come`, { cause })
      })
    }
  }

  /** Stops the senders; resolves when each of their calls is acknowledged. */
  async finish(): Promise<void> {
    this.#isEnding = true
    await Promise.all(this.#senders)
  }

  /** Stops without waiting for acknowledgements. */
  async abandon(): Promise<void> {
    this.#isAbandoned = true
    await this.finish()
  }

  /** Sends a call until it is acknowledged, and checks the answer. */
  async deliver(call: Call, patienceMs = ANSWER_MS_MAX): Promise<void> {
    this.calls.push(call)
    while (!this.#isAbandoned) {
      const acknowledged = await this.#attempt(call, call.sends === 0 ? patienceMs : ANSWER_MS_MAX)
      if (acknowledged !== undefined) return this.#acknowledge(call, acknowledged)
      await sleep(RESEND_MS)
    }
  }

  async #send(name: string): Promise<void> {
    const random = randomOf(this.#seed, name)
    for (let n = 0; !this.#isEnding && !this.#isAbandoned; n++) {
      const batches = this.#batches[random.chance(SEARCH_SHARE) ? 'RecordSearches' : 'CreateInteraction']
      const call = batches.next(random, `${name} call ${n}`)
      if (random.chance(RECORDER_SHARE)) call.recorder = random.pick(RECORDERS)
      await this.#deliverImpatiently(random, call)
    }
  }

  /** Every tenth call times out early, so that the same batch is sent again while the first call still runs. */
  async #deliverImpatiently(random: Random, call: Call): Promise<void> {
    await this.deliver(call, random.chance(0.1) ? 1 + random.below(200) : ANSWER_MS_MAX)
    if (call.idempotencyKey !== undefined && random.chance(0.2)) await this.#repeatKey(call)
  }

  /** Repeats the idempotency key, which must be given the first answer again. */
  async #repeatKey(call: Call): Promise<void> {
    const repeated = await this.#attempt(call, ANSWER_MS_MAX)
    if (repeated !== undefined && repeated.text !== call.acknowledged?.text)
      this.problems.push(`${call.name}: answered ${repeated.text} after ${call.acknowledged?.text}`)
  }

  async #attempt(call: Call, patienceMs: number): Promise<Acknowledgement | undefined> {
    try {
      return await send(this.#ingressUrl, call, patienceMs)
    } catch (error) {
      if (!(error instanceof RefusedCall)) throw error
      this.problems.push(error.message)
      this.#isAbandoned = true
      return undefined
    }
  }

  #acknowledge(call: Call, acknowledged: Acknowledgement): void {
    call.acknowledged = acknowledged
    this.problems.push(...problemsOf(call, acknowledged))
    this.#batches[call.handler].acknowledged(call)
    this.#acknowledged += 1
    this.#progress.emit('acknowledged')
  }
}
