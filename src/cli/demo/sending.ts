import type { CreateInteractionResponse } from '../../contract/interaction.ts'
import type { GatewayClient } from './gateway-client.ts'
import type { Item } from './item.ts'
import type { Tally } from './table.ts'

/** Sends items, and adds their outcomes up. */
export interface Sending {
  send: (items: readonly Item[]) => Promise<void>
  /** Sends interactions that break the contract, too. */
  sendInteractions: (interactions: readonly object[]) => Promise<void>
  sendOperations: (events: readonly object[]) => Promise<void>
}

const INTERACTIONS_PER_REQUEST = 2_000
const REQUESTS_AT_ONCE = 4
/** Searches and payments are a request each. */
const SINGLES_AT_ONCE = 48

export function createSending(client: GatewayClient, tally: Tally, signal: AbortSignal): Sending {
  const add = (sent: number, answer: CreateInteractionResponse | undefined) => {
    tally.sent += sent
    if (answer === undefined) return
    tally.accepted += answer.accepted
    tally.duplicates += answer.duplicates
    tally.rejected += answer.rejected.length
  }
  const sendList = (list: 'interactions' | 'events', items: readonly object[]) =>
    eachOf(partsOf(items, INTERACTIONS_PER_REQUEST), { atOnce: REQUESTS_AT_ONCE, signal }, async (part) =>
      add(part.length, await client.record(list, part)),
    )
  return {
    send: async (items) => {
      const interactions = items.flatMap(({ kind, item }) => (kind === 'interaction' ? [item] : []))
      const singles = items.flatMap(({ kind, item }) => (kind === 'interaction' ? [] : [{ kind, item }]))
      await Promise.all([
        sendList('interactions', interactions),
        eachOf(singles, { atOnce: SINGLES_AT_ONCE, signal }, async ({ kind, item }) =>
          add(1, await client.recordOne(kind, item)),
        ),
      ])
    },
    sendInteractions: (interactions) => sendList('interactions', interactions),
    sendOperations: (events) => sendList('events', events),
  }
}

function partsOf<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, part) => items.slice(part * size, (part + 1) * size))
}

/** Does something to each item, some at once, until the signal. */
async function eachOf<T>(
  items: readonly T[],
  { atOnce, signal }: { atOnce: number; signal: AbortSignal },
  act: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = items.values()
  const work = async () => {
    for (const item of waiting) {
      if (signal.aborted) return
      await act(item)
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, work))
}
