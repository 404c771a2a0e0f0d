/**
 * Resolves when the process is told to end: by a signal, or because the process that started it is gone (its channel
 * closes even when it was killed).
 */
export async function untilTold(): Promise<void> {
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve())
    process.once('disconnect', () => resolve())
  })
}
