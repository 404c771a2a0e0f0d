import type { GatewayClient } from './gateway-client.ts'
import type { Screen } from './screen.ts'
import type { Sending } from './sending.ts'
import type { Tally } from './table.ts'

export interface DemoPlan {
  gatewayUrl: string
  key?: string | undefined
  /** Signs payments. Without it purchases and refunds are interactions, and sellers have no revenue. */
  paymentSecret?: string | undefined
  seed: number
  /** Days of history before `nowMs`; 0 for none. */
  days: number
  nowMs: number
  /** Live events per second, on the average of a day. */
  rate: number
  /** When to send live events, in milliseconds since the stream started. The demo ends with the last tick. */
  ticks: AsyncIterable<number> | Iterable<number>
  signal: AbortSignal
}

/** What the parts of a demo share. */
export interface Playing {
  plan: DemoPlan
  client: GatewayClient
  sending: Sending
  screen: Screen
  tally: Tally
}
