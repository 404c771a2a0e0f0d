import * as clients from '@restatedev/restate-sdk-clients'
import { randomUUID } from 'node:crypto'
import type { BatchAnswer, Item, ItemKind } from './mapping/item-kind.ts'
import { connectionTo } from '../../ingress/clients.ts'
import { InterruptedError, StartError } from '../../main/config/start-error.ts'

export interface SenderOptions {
  kind: ItemKind
  ingressUrl: string
  inFlightMax: number
  /** How long a batch is retried while Restate does not answer or answers with an error that may pass. */
  patienceMs: number
  /** Ends everything immediately. */
  signal?: AbortSignal | undefined
  /** Called before a retry. */
  onRetry: (reason: string) => void
}

export interface BatchSender<Batch> {
  /** Resolves when the batch is sent. It waits while `inFlightMax` batches have no answer, so that the reader waits too. */
  send: (batch: Batch) => Promise<void>
  /** Resolves when every batch is answered. */
  finish: () => Promise<void>
  /** Gives up the batches in flight. */
  stop: () => Promise<void>
}

const ATTEMPT_MS_MAX = 60_000
const RETRY_MS_MAX = 10_000

/** Sends batches, each until it is answered. Repeating a batch is safe, because events have ids and products have times. */
export function createBatchSender<Batch extends { items: Item[] }>(
  options: SenderOptions,
  onAnswer: (batch: Batch, answer: BatchAnswer) => void,
): BatchSender<Batch> {
  const stopped = new AbortController()
  const ingress = ingressOf(options, stopped.signal)
  // Each run has its own keys. With a key made of the batch, a second run would get the answer of the first, as if it had recorded it.
  const run = randomUUID()
  const inFlight = new Set<Promise<void>>()
  let sent = 0
  let failure: { error: unknown } | undefined

  const deliver = async (batch: Batch) => {
    const timeout = Math.min(ATTEMPT_MS_MAX, options.patienceMs)
    const call = { idempotencyKey: `import ${run} ${++sent}`, timeout }
    const answer = await options.kind.record(ingress, batch.items, call).catch((error: unknown) => {
      if (options.signal?.aborted) throw new InterruptedError('it was interrupted', { cause: error })
      throw new StartError(sentenceOf(error, options), { cause: error })
    })
    onAnswer(batch, answer)
  }
  const throwFailure = () => {
    if (failure !== undefined) throw failure.error
  }
  return {
    send: async (batch) => {
      while (inFlight.size >= options.inFlightMax) await Promise.race(inFlight)
      throwFailure()
      const delivery = deliver(batch)
        .catch((error: unknown) => {
          failure ??= { error }
          stopped.abort()
        })
        .finally(() => inFlight.delete(delivery))
      inFlight.add(delivery)
    },
    finish: async () => {
      await Promise.all(inFlight)
      throwFailure()
    },
    stop: async () => {
      stopped.abort()
      await Promise.all(inFlight)
    },
  }
}

/** Signals go to fetch, because a signal that is handed to the client would replace its timeout. The client retries by itself. */
function ingressOf({ ingressUrl, patienceMs, onRetry, signal }: SenderOptions, stopped: AbortSignal) {
  const ends = signal === undefined ? [stopped] : [stopped, signal]
  const { url: first, fetch: fetchFromAny } = connectionTo(ingressUrl)
  return clients.connect({
    url: first,
    fetch: (url, init) =>
      fetchFromAny(url, { ...init, signal: AbortSignal.any([...ends, ...(init?.signal ? [init.signal] : [])]) }),
    retry: {
      maxAttempts: false,
      maxDuration: patienceMs,
      maxInterval: RETRY_MS_MAX,
      shouldRetry: (failed) => {
        const isRetried = !ends.some((end) => end.aborted) && clients.defaultShouldRetry(failed)
        if (isRetried) onRetry(failed.kind === 'network' ? networkReasonOf(failed.error) : `it answered ${failed.status}`)
        return isRetried
      },
    },
  })
}

function sentenceOf(error: unknown, { ingressUrl, patienceMs }: SenderOptions): string {
  if (error instanceof Error && 'status' in error)
    return `Restate at ${ingressUrl} refused a batch: ${error.message.replaceAll('\n', ' ')}`
  return `Restate at ${ingressUrl} did not answer for ${patienceMs / 1_000} s (${networkReasonOf(error)})`
}

/** Why a request had no answer: the error code of the connection if there is one, or else what `fetch` says. */
export function networkReasonOf(error: unknown): string {
  const { cause } = error as { cause?: { code?: string; message?: string } }
  return cause?.code ?? (cause?.message || undefined) ?? (error instanceof Error ? error.message : String(error))
}
