import { readFileSync } from 'node:fs'
import { StartError } from './start-error.ts'

/** The text of a secret's file, without the end of its line. @throws StartError with the setting, when there is no text to read. */
export function readSecret(setting: string, file: string): string {
  try {
    const secret = readFileSync(file, 'utf8').trim()
    if (secret !== '') return secret
  } catch (cause) {
    throw new StartError(`${setting} is ${file}, which cannot be read (${(cause as NodeJS.ErrnoException).code}).`, { cause })
  }
  throw new StartError(`${setting} is ${file}, which is empty.`)
}
