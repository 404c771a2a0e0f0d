import { LRUCache } from 'lru-cache'
import type { Budgets, CountedBudgets, Taken } from './budgets.ts'

/** Where budgets are counted for several processes. */
export interface SharedBudgets {
  take: (...input: Parameters<CountedBudgets['take']>) => Promise<Taken>
  giveBack: (id: string, amount: number) => Promise<void>
}

interface Lease {
  left: number
  used: number
  endsMs: number
  growing?: Promise<{ taken: number; amount: number }> | undefined
}

/** A process takes so large a part of a budget at once, so that few requests wait for another process. */
const LEASED_PART = 1 / 16
const IDS_MAX = 50_000

/**
 * Budgets that several processes share. Each takes parts of them on lease, so together they never take more than a budget has. What
 * other processes have on lease and do not use is missing to this one until the minute is over.
 */
export function createLeasedBudgets(shared: SharedBudgets, now: () => number = Date.now): Budgets {
  // Without `max`, with which lru-cache makes room for all of them at once.
  const leases = new LRUCache<string, Lease>({ maxSize: IDS_MAX, sizeCalculation: () => 1 })
  const leaseOf = (id: string): Lease => {
    const known = leases.get(id)
    if (known !== undefined && (known.endsMs > now() || known.growing !== undefined)) return known
    const lease = { left: 0, used: 0, endsMs: 0 }
    leases.set(id, lease)
    return lease
  }

  const grow = async (lease: Lease, id: string, amount: number, max: number) => {
    const missing = amount - lease.left
    const { taken, used, endsMs } = await shared.take(id, missing, max, Math.max(missing, Math.ceil(max * LEASED_PART)))
    // Of a minute that is over nothing is left.
    lease.left = (lease.endsMs === endsMs ? lease.left : 0) + taken
    Object.assign(lease, { used, endsMs })
    return { taken, amount }
  }

  const takeOf = (lease: Lease, amount: number): Taken => {
    lease.left -= amount
    return { taken: amount, used: lease.used - lease.left, endsMs: lease.endsMs }
  }

  const takeGrown = async (id: string, amount: number, max: number): Promise<Taken> => {
    for (;;) {
      const lease = leaseOf(id)
      if (lease.endsMs > now() && lease.left >= amount) return takeOf(lease, amount)
      if (lease.endsMs <= now()) lease.left = 0
      lease.growing ??= grow(lease, id, amount, max).finally(() => {
        lease.growing = undefined
      })
      const grown = await lease.growing
      if (grown.taken === 0 && grown.amount <= amount) return { taken: 0, used: max, endsMs: lease.endsMs }
    }
  }

  return {
    take: (id, amount, max) => {
      const lease = leaseOf(id)
      return lease.endsMs > now() && lease.left >= amount ? takeOf(lease, amount) : takeGrown(id, amount, max)
    },
    giveBack: (id, amount) => void shared.giveBack(id, amount).catch(() => undefined),
  }
}
