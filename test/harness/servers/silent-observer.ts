import type { ServiceObserver } from '../../../services/handler/observer.ts'
import type { GatewayObserver } from '../../../src/gateway/http/observer.ts'

/** An observer for tests and loads that measure nothing. */
export const SILENT_OBSERVER: ServiceObserver & GatewayObserver = {
  answered: () => undefined,
  recorded: () => undefined,
  flushed: () => undefined,
  turnedAway: () => undefined,
  webhook: () => undefined,
  notKept: () => undefined,
  impressions: () => undefined,
  readFromStandby: () => undefined,
  groupCounted: () => undefined,
  batchLost: () => undefined,
  alertSent: () => undefined,
  setAside: () => undefined,
  callRefused: () => undefined,
  paid: () => undefined,
}
