import * as clients from '@restatedev/restate-sdk-clients'
import { randomUUID } from 'node:crypto'
import type { BatchAnswer, Item, ItemKind } from './item-kind.ts'
import { StartError } from '../../main/config/start-error.ts'

export interface SenderOptions {
  kind: ItemKind
  ingressUrl: string
  inFlightMax: number
  /** How long a batch is tried again when Restate does not answer, or answers that it cannot. */
  patienceMs: number
  /** Ends all of it at once. */
  signal?: AbortSignal | undefined
  /** Called before a batch is tried again. */
  onRetry: (reason: string) => void
}

export interface BatchSender<Batch> {
  /** Resolves as soon as the batch is on its way: with `inFlightMax` on their way, it holds back the reader. */
  send: (batch: Batch) => Promise<void>
  /** Resolves when everything is answered. */
  finish: () => Promise<void>
  /** Gives up whatever is on its way. */
  stop: () => Promise<void>
}

const ATTEMPT_MS_MAX = 60_000
const RETRY_MS_MAX = 10_000

/** Sends batches to be recorded, each until it is answered. Repeating one is safe: events have their ids, products their time. */
export function batchSender<Batch extends { items: Item[] }>(
  options: SenderOptions,
  onAnswer: (batch: Batch, answer: BatchAnswer) => void,
): BatchSender<Batch> {
  const stopped = new AbortController()
  const ingress = ingressOf(options, stopped.signal)
  // The key is the run's own. One made of the batch would give a second run the first one's answer, as if it had recorded anything.
  const run = randomUUID()
  const onTheirWay = new Set<Promise<void>>()
  let sent = 0
  let failure: { error: unknown } | undefined

  const deliver = async (batch: Batch) => {
    const timeout = Math.min(ATTEMPT_MS_MAX, options.patienceMs)
    const once = { idempotencyKey: `import ${run} ${++sent}`, timeout }
    const answer = await options.kind.record(ingress, batch.items, once).catch((error: unknown) => {
      throw new StartError(sentenceOf(error, options), { cause: error })
    })
    onAnswer(batch, answer)
  }
  const throwFailure = () => {
    if (failure !== undefined) throw failure.error
  }
  return {
    send: async (batch) => {
      while (onTheirWay.size >= options.inFlightMax) await Promise.race(onTheirWay)
      throwFailure()
      const delivery = deliver(batch)
        .catch((error: unknown) => {
          failure ??= { error }
          stopped.abort()
        })
        .finally(() => onTheirWay.delete(delivery))
      onTheirWay.add(delivery)
    },
    finish: async () => {
      await Promise.all(onTheirWay)
      throwFailure()
    },
    stop: async () => {
      stopped.abort()
      await Promise.all(onTheirWay)
    },
  }
}

/** The client has its own retries; a signal handed to it would replace its timeout, so it goes with the fetch instead. */
function ingressOf({ ingressUrl, patienceMs, onRetry, signal }: SenderOptions, stopped: AbortSignal) {
  const ends = signal === undefined ? [stopped] : [stopped, signal]
  return clients.connect({
    url: ingressUrl.replace(/\/$/, ''),
    fetch: (url, init) => fetch(url, { ...init, signal: AbortSignal.any([...ends, ...(init?.signal ? [init.signal] : [])]) }),
    retry: {
      maxAttempts: false,
      maxDuration: patienceMs,
      maxInterval: RETRY_MS_MAX,
      shouldRetry: (failed) => {
        const again = !ends.some((end) => end.aborted) && clients.defaultShouldRetry(failed)
        if (again) onRetry(failed.kind === 'network' ? networkReasonOf(failed.error) : `it answered ${failed.status}`)
        return again
      },
    },
  })
}

function sentenceOf(error: unknown, { ingressUrl, patienceMs, signal }: SenderOptions): string {
  if (signal?.aborted) return 'it was interrupted'
  if (error instanceof Error && 'status' in error)
    return `Restate at ${ingressUrl} refused a batch: ${error.message.replaceAll('\n', ' ')}`
  return `Restate at ${ingressUrl} did not answer for ${patienceMs / 1_000} s (${networkReasonOf(error)})`
}

/** Why a request had no answer: the code of the connection where there is one. */
export function networkReasonOf(error: unknown): string {
  const { cause } = error as { cause?: { code?: string } }
  return cause?.code ?? (error instanceof Error ? error.message : String(error))
}
