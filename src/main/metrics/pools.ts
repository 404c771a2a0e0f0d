import { Gauge, Histogram, type Registry } from 'prom-client'
import type { PoolState, StoreObserver } from '../../store/database/connection.ts'
import { SECONDS } from './registry.ts'

/** Measures the pools of a process. @returns a function that makes the observer of a pool from its name. */
export function poolMetrics(registry: Registry): (pool: string) => Pick<StoreObserver, 'opened' | 'waited'> {
  const states = new Map<string, () => PoolState>()
  const registers = [registry]
  const waits = new Histogram({
    name: 'footfall_database_wait_seconds',
    help: 'Time that a statement or transaction waited for a connection to PostgreSQL, including the time to open a new one.',
    labelNames: ['pool'],
    buckets: SECONDS,
    registers,
  })
  // oxlint-disable-next-line no-new -- the registry keeps it
  new Gauge({
    name: 'footfall_database_connections',
    help: 'Connections to PostgreSQL, busy or idle.',
    labelNames: ['pool', 'state'],
    registers,
    collect() {
      for (const [pool, state] of states) {
        const { total, idle } = state()
        this.set({ pool, state: 'busy' }, total - idle)
        this.set({ pool, state: 'idle' }, idle)
      }
    },
  })
  // oxlint-disable-next-line no-new -- the registry keeps it
  new Gauge({
    name: 'footfall_database_waiting',
    help: 'Statements and transactions that wait for a connection.',
    labelNames: ['pool'],
    registers,
    collect() {
      for (const [pool, state] of states) this.set({ pool }, state().waiting)
    },
  })
  return (pool) => {
    waits.zero({ pool })
    return { opened: (state) => states.set(pool, state), waited: (seconds) => waits.observe({ pool }, seconds) }
  }
}
