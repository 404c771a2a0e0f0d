import { Gauge, type Registry } from 'prom-client'
import type { StandbyState } from '../../gateway/standbys/standbys.ts'

/** Says of each standby how far it is behind, and whether reads go to it. */
export function standbyMetrics(registry: Registry, states: () => readonly StandbyState[]): void {
  // oxlint-disable-next-line no-new -- the registry keeps it
  new Gauge({
    name: 'footfall_read_lag_seconds',
    help: 'The greatest age of what a standby shows. Missing while it is not known, because the standby is away.',
    labelNames: ['standby'],
    aggregator: 'max',
    registers: [registry],
    collect() {
      this.reset()
      for (const { server, lag_ms } of states()) if (lag_ms !== null) this.set({ standby: server }, lag_ms / 1_000)
    },
  })
  // oxlint-disable-next-line no-new -- the registry keeps it
  new Gauge({
    name: 'footfall_standby_is_read',
    help: '1 while reads go to a standby, and 0 while the primary answers for it.',
    labelNames: ['standby'],
    aggregator: 'min',
    registers: [registry],
    collect() {
      for (const { server, is_read } of states()) this.set({ standby: server }, Number(is_read))
    },
  })
}
