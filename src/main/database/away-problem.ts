import { databaseAddresses } from '../../store/database/addresses.ts'

export const NO_PRIMARY =
  'None of the addresses of DATABASE_URL leads to a PostgreSQL that takes writes: start the primary, or promote a standby.'

/** What to do when no PostgreSQL answers at DATABASE_URL. */
export function awayProblem(url: string): string {
  if (databaseAddresses(url).length > 1) return NO_PRIMARY
  return 'PostgreSQL does not answer at DATABASE_URL: start it, or change the address, user or password.'
}
