import type { MetricState } from './product-metrics.ts'

/** A state of the metrics of a key: `SELLER#id`, `CATEGORY#name` or `LOWSTOCK`. Times are UTC milliseconds. */
export interface RecordedState {
  key: string
  atMs: number
  state: MetricState
}

/** A state to keep, with the one that it replaces. */
export interface NextState extends RecordedState {
  replaced: Omit<RecordedState, 'key'> | undefined
}

/**
 * The states of metrics, by key and time. A state expires 30 days after another one replaced it, so that every instant of the last 30 days
 * has its state, also when nothing changed for longer. test/metrics/history-contract.ts is the contract of every implementation.
 */
export interface MetricHistory {
  /** Keeps states, and lets those expire that they replace. Keys are distinct. Repeating it changes nothing. */
  keep: (states: readonly NextState[]) => Promise<void>
  /** The newest state of a key that was recorded at an instant or before; undefined when there is none, or it has expired. */
  at: (key: string, atMs: number) => Promise<RecordedState | undefined>
  /** States of a key from an instant on and before another one, the newest first, without expired ones. */
  series: (key: string, range: HistoryRange) => Promise<RecordedState[]>
}

export interface HistoryRange {
  fromMs: number
  toMs: number
  limit: number
}
