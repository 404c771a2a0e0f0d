import type { ServiceObserver } from '../../../services/handler/observer.ts'
import type { GatewayObserver } from '../../../src/gateway/http/observer.ts'

/** For tests and loads that measure nothing. */
export const unobserved: ServiceObserver & GatewayObserver = {
  answered: () => undefined,
  recorded: () => undefined,
  flushed: () => undefined,
  turnedAway: () => undefined,
  grouped: () => undefined,
  paid: () => undefined,
}
