import { LRUCache } from 'lru-cache'

/** What was taken of a budget. */
export interface Taken {
  /** 0 when too little was left. */
  taken: number
  /** What is taken of the budget by now. */
  used: number
  /** When the budget is whole again, in ms since 1970. */
  endsMs: number
}

/** What each id (a key, an address) may take in a minute, which begins when it first takes something. */
export interface Budgets {
  /** Takes so much, or nothing when less than that is left of `max`. */
  take: (id: string, amount: number, max: number) => Taken | Promise<Taken>
  giveBack: (id: string, amount: number) => void
}

export interface CountedBudgets extends Budgets {
  /** Takes as much of `wished` as is left, but nothing when that is less than `amount`. */
  take: (id: string, amount: number, max: number, wished?: number) => Taken
}

export const BUDGET_MS = 60_000
const IDS_MAX = 50_000

/** Counts in this process. */
export function createBudgets(now: () => number = Date.now): CountedBudgets {
  // Without `max`, with which lru-cache makes room for all of them at once.
  const byId = new LRUCache<string, { used: number; endsMs: number }>({ maxSize: IDS_MAX, sizeCalculation: () => 1 })
  const of = (id: string) => {
    const known = byId.get(id)
    if (known !== undefined && known.endsMs > now()) return known
    const budget = { used: 0, endsMs: now() + BUDGET_MS }
    byId.set(id, budget)
    return budget
  }
  return {
    take: (id, amount, max, wished = amount) => {
      const budget = of(id)
      const left = max - budget.used
      const taken = amount > left ? 0 : Math.min(Math.max(amount, wished), left)
      budget.used += taken
      return { taken, used: budget.used, endsMs: budget.endsMs }
    },
    giveBack: (id, amount) => {
      const budget = of(id)
      budget.used = Math.max(0, budget.used - amount)
    },
  }
}

/** What the gateway bounds by the minute. */
export const BUDGETS = ['requests', 'events', 'wrongTries', 'signIns'] as const
export type BudgetName = (typeof BUDGETS)[number]
export type AccessBudgets = Record<BudgetName, Budgets>

/** One of each. */
export function budgetsBy<B extends Budgets>(make: (name: BudgetName) => B): Record<BudgetName, B> {
  return Object.fromEntries(BUDGETS.map((name) => [name, make(name)])) as Record<BudgetName, B>
}
