/**
 * The slot after this one. It is on the grid of the first slot, so that slots do not drift, and never in the past, because missed
 * slots are skipped. All in milliseconds.
 */
export function slotAfter(slot: number, everyMs: number, nowMs: number): number {
  const lateMs = Math.max(0, nowMs - slot)
  return slot + everyMs * (Math.floor(lateMs / everyMs) + 1)
}
