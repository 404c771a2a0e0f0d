/** A line for the console of `npm start`, from a process that it runs. */
interface Notice {
  notice: string
}

/** Sends a line to the process that started this one; nothing where no process did. */
export function sendNotice(notice: string): void {
  process.send?.({ notice } satisfies Notice)
}

/** The line in a message; undefined for every other message. */
export function noticeIn(message: unknown): string | undefined {
  const { notice } = (typeof message === 'object' && message !== null ? message : {}) as Partial<Notice>
  return typeof notice === 'string' ? notice : undefined
}
