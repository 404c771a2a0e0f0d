/**
 * Resolves when the process is told to end: by a signal, or because the process that started it is gone (its channel
 * closes even when it was killed). It goes on listening: npm passes on the Ctrl-C that the terminal has sent already, and
 * the second one would otherwise end the process before it has stopped anything.
 */
export async function waitForShutdown(): Promise<void> {
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve())
    process.once('disconnect', () => resolve())
  })
}
