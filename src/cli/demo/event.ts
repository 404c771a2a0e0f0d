import { uuidV7 } from '../../contract/fields/event-id.ts'
import type { Interaction } from '../../contract/interaction.ts'
import { instantOf } from '../../contract/fields/time.ts'
import type { Shopper } from './shop.ts'
import type { Step } from './visit.ts'

/** An interaction with an id, so that it can be sent again. */
export type IdentifiedEvent = Interaction & { event_id: string; occurred_at: string }

/** A step as the gateway takes it; `idBytes` (at least 10) make its id. */
export function eventOf(shopper: Shopper, step: Step, occurredAtMs: number, idBytes: Uint8Array): IdentifiedEvent {
  const { afterMs: _, ...fields } = step
  return { event_id: uuidV7(occurredAtMs, idBytes), occurred_at: instantOf(occurredAtMs), ...shopper, ...fields }
}
