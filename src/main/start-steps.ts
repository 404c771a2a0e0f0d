import { listApiKeys } from '../store/access/api-key.ts'
import { connect } from '../store/database/connection.ts'
import { takeRuleIntoForce } from '../store/payments/ledger-rule.ts'
import { DecidedError } from '../contract/decided-error.ts'
import { addressesOf, adminUrlOf } from './config/addresses.ts'
import { type Config, readConfig } from './config/config.ts'
import { retentionOf } from './config/retention.ts'
import { StartError } from './config/start-error.ts'
import { databaseUrlOf } from './database/database-url.ts'
import { prepareDatabase } from './database/prepare-database.ts'
import { ingressOf } from './ingress.ts'
import { lostCallsNotice } from './reconcile/tell-lost.ts'
import { register } from './release/deployments.ts'
import { refusePublicWithoutKey } from './start-checks.ts'
import { startSchedules } from './start-schedules.ts'

/**
 * What `npm start` does once, as a process that ends afterwards: the modules for it take 90 MB, which the supervisor would keep for as
 * long as it runs.
 */
const steps = {
  readConfig: () => readConfig(process.env),

  /** Brings the running database to the state that the processes need. */
  prepareDatabase: async (config: Config) => {
    const db = connect({ url: await databaseUrlOf(config), name: 'footfall start', statementMsMax: 0 })
    try {
      await prepareDatabase(db, config)
      // No other process of Footfall uses a PostgreSQL that was just started for this one.
      if (config.DATABASE_URL === undefined) await takeRuleIntoForce(db, 0)
      refusePublicWithoutKey(config, (await listApiKeys(db)).length > 0)
    } finally {
      await db.destroy()
    }
  },

  registerServices: async (config: Config) => {
    // Forced, because this start serves its handlers at the same address as the start before.
    await register(adminUrlOf(config), addressesOf(config).endpointUrl, { isForced: true })
    await startSchedules(ingressOf(config), retentionOf(config))
  },

  lostCallsNotice: async (config: Config) => lostCallsNotice(adminUrlOf(config), await databaseUrlOf(config)),
}
export type StartSteps = typeof steps

export interface StartQuestion {
  id: number
  name: keyof StartSteps
  input: unknown[]
}
export interface StartAnswer {
  id: number
  value?: unknown
  failed?: { error: unknown; isSentence: boolean }
}

process.once('disconnect', () => process.exit())
process.on('message', ({ id, name, input }: StartQuestion) => {
  void answerOf(name, input).then((answer) => process.send?.({ id, ...answer } satisfies StartAnswer))
})

async function answerOf(name: keyof StartSteps, input: unknown[]): Promise<Omit<StartAnswer, 'id'>> {
  try {
    return { value: await (steps[name] as (...values: unknown[]) => unknown)(...input) }
  } catch (error) {
    return { failed: { error, isSentence: error instanceof StartError || error instanceof DecidedError } }
  }
}
