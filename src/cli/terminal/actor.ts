import { userInfo } from 'node:os'

/** Who runs a command, for the audit trail: the user of the machine, or its number where it has no name. */
export function actor(): string {
  try {
    return userInfo().username
  } catch {
    return `user ${process.getuid?.()}`
  }
}
