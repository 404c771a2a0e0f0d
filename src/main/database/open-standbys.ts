import type { Logger } from 'pino'
import { createStandbys, type Standbys } from '../../gateway/standbys/standbys.ts'
import { connect, type ConnectOptions } from '../../store/database/connection.ts'
import type { StoreObserver } from '../../store/database/connection.ts'
import type { Config } from '../config/config.ts'
import { standbyAddressesOf } from '../config/standbys.ts'

export interface StandbyConnections {
  /** The address of the primary. */
  databaseUrl: string
  /** How reads connect to the primary. */
  reads: Omit<ConnectOptions, 'url' | 'observer'>
  observerOf: (pool: string) => StoreObserver
  log: Pick<Logger, 'warn' | 'info'>
}

/** Looks are short, and wait for nothing. */
const LOOKS: Omit<ConnectOptions, 'url'> = {
  name: 'footfall lag',
  connectionsMax: 1,
  readOnly: true,
  waitMsMax: 1_000,
  statementMsMax: 1_000,
  silentMsMax: 2_000,
}

/** The standbys of DATABASE_READ_URL; undefined where there are none. */
export function openStandbys(config: Config, { databaseUrl, reads, observerOf, log }: StandbyConnections): Standbys | undefined {
  const addresses = standbyAddressesOf(config)
  if (addresses.length === 0) return undefined
  return createStandbys({
    standbys: addresses.map(({ name, url }) => ({
      name,
      openReads: () => connect({ ...reads, url, observer: observerOf(`standby ${name}`) }),
      openLooks: () => connect({ ...LOOKS, url }),
    })),
    openPrimary: () => connect({ ...LOOKS, url: databaseUrl }),
    lagMsMax: config.READ_LAG_MS_MAX,
    onChange: (state) => {
      if (state.is_read) log.info(state, 'reads go to this standby')
      else log.warn(state, 'reads of this standby go to the primary')
    },
  })
}
