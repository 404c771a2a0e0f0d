/** For so long after its last request a caller counts as one that sends. */
const SENDING_MS = 1_000

/** The callers that send now. The last two of them are enough to know whether a caller is alone. */
export interface SendingCallers {
  /** A caller sends a request. */
  note: (caller: string | object) => void
  /** Whether another caller sends at the same time. */
  hasOthers: (caller: string | object) => boolean
}

export function createSendingCallers(sendingMs = SENDING_MS): SendingCallers {
  let last: { caller: string | object; ms: number } = { caller: '', ms: -Infinity }
  let other = last
  return {
    note: (caller) => {
      if (caller !== last.caller) other = last
      last = { caller, ms: performance.now() }
    },
    hasOthers: (caller) => performance.now() - (caller === last.caller ? other : last).ms < sendingMs,
  }
}
