import { isOutage } from '../../ingress/outage.ts'
import { isUnavailable } from '../../store/database/sql-state.ts'
import type { Config } from '../config/config.ts'
import { addressesOf } from '../config/addresses.ts'
import { StartError } from '../config/start-error.ts'
import { isRestateUp } from '../embedded/restate.ts'
import { RestateQueryError } from '../embedded/restate-queries.ts'

const AGAIN = 'Then run the same command again: it goes on where this one ended, and brings nothing back twice.'

/** What an operator does about an error in the middle of a comparison or a repair; undefined for a fault of the program. */
export async function outageOf(cause: unknown, config: Config): Promise<StartError | undefined> {
  if (cause instanceof StartError) return undefined
  if (isUnavailable(cause))
    return new StartError(`PostgreSQL stopped answering at DATABASE_URL: bring it back. ${AGAIN}`, { cause })
  if (cause instanceof RestateQueryError)
    return new StartError(`${cause.message} Is RESTATE_ADMIN_URL the admin port of Restate?`, { cause })
  if (!isOutage(cause)) return undefined
  const { ingressUrl, adminUrl } = addressesOf(config)
  const isIngressUp = await isRestateUp({ ingress: ingressUrl, admin: undefined })
  if (!isIngressUp)
    return new StartError(
      `Restate does not answer at ${ingressUrl} (RESTATE_INGRESS_URL): start it, or change the address. ${AGAIN}`,
      { cause },
    )
  if (!(await isRestateUp({ ingress: ingressUrl, admin: adminUrl })))
    return new StartError(
      `The admin port of Restate does not answer at ${adminUrl} (RESTATE_ADMIN_URL): start it, or change the address. ${AGAIN}`,
      { cause },
    )
  return new StartError(
    `Restate did not answer a call in time: /ready says what is away, an endpoint or its PostgreSQL. ${AGAIN}`,
    { cause },
  )
}
