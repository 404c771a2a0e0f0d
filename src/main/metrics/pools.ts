import { Gauge, Histogram, type Registry } from 'prom-client'
import type { PoolState, StoreObserver } from '../../store/database/connection.ts'
import { SECONDS } from './registry.ts'

/** Watches the pools of a process; each is given what observes it, by its name. */
export function poolMetrics(registry: Registry): (pool: string) => Pick<StoreObserver, 'opened' | 'waited'> {
  const states = new Map<string, () => PoolState>()
  const registers = [registry]
  const waits = new Histogram({
    name: 'footfall_database_wait_seconds',
    help: 'How long a question waited for a connection to PostgreSQL; making a new one is part of it.',
    labelNames: ['pool'],
    buckets: SECONDS,
    registers,
  })
  // oxlint-disable-next-line no-new -- the registry keeps it
  new Gauge({
    name: 'footfall_database_connections',
    help: 'Connections to PostgreSQL, busy and idle.',
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
    help: 'Questions that wait for a connection.',
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
