/**
 * The slot after this one: on the grid of the first slot, so that nothing drifts, and never in the past, so that what was
 * missed is skipped and not made up for. All in milliseconds.
 */
export function slotAfter(slot: number, everyMs: number, nowMs: number): number {
  const lateMs = Math.max(0, nowMs - slot)
  return slot + everyMs * (Math.floor(lateMs / everyMs) + 1)
}
