import { userInfo } from 'node:os'

/** The actor of a command in audit entries: the user of this machine, or the user's number when it has no name. */
export function actor(): string {
  try {
    return userInfo().username
  } catch {
    return `user ${process.getuid?.()}`
  }
}
