/**
 * Resolves when the process should end: on a signal, or when the process that started it is gone (its channel closes even when it
 * was killed). Keeps listening, because npm repeats the Ctrl-C of the terminal, and an unhandled second signal would end the process
 * before it has stopped anything.
 */
export async function waitForShutdown(): Promise<void> {
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve())
    process.once('disconnect', () => resolve())
  })
}
