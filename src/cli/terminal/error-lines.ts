import { inspect } from 'node:util'
import { DecidedError } from '../../contract/decided-error.ts'
import { StartError } from '../../main/config/start-error.ts'

/** What a command prints about its error: what the person at the terminal can do, or everything about an error of the program. */
export function linesOfError(error: unknown): string[] {
  return (sentenceOf(error) ?? inspect(error)).split('\n')
}

function sentenceOf(error: unknown): string | undefined {
  if (error instanceof StartError || error instanceof DecidedError) return error.message
  const { code, port } = (error ?? {}) as NodeJS.ErrnoException & { port?: number }
  return code === 'EADDRINUSE'
    ? `In use already: port ${port}; stop the program that has it, or set another port (docs/configuration.md).`
    : undefined
}
