/** Too much waits for PostgreSQL here, so that the same statement may work later. */
export class UnavailableError extends Error {
  override readonly name: string = 'UnavailableError'
}
