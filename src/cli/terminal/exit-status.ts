import type { CommanderError } from 'commander'
import { InterruptedError, UsageError } from '../../main/config/start-error.ts'

/** The exit statuses that every command has. A command may have others, which its help lists. */
const FAILED = 1
const WRONG_USAGE = 2
/** Shells report a program that Ctrl-C ended as 128 and the number of SIGINT. */
export const INTERRUPTED = 130

/** The exit status of a command that ended with an error. */
export function exitStatusOf(error: unknown): number {
  if (error instanceof UsageError) return WRONG_USAGE
  return error instanceof InterruptedError ? INTERRUPTED : FAILED
}

/** The exit status of a command line that was not run: it asked for help or the version, or it cannot be. */
export function exitStatusOfParsing({ exitCode }: Pick<CommanderError, 'exitCode'>): number {
  return exitCode === 0 ? 0 : WRONG_USAGE
}
