import { readFileSync } from 'node:fs'
import { StartError } from './start-error.ts'

/** The valid secret, and while it changes a second one. */
export const SECRETS_MAX = 2

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

/** The secrets of a file, one per line: one, or two while it changes. @throws StartError for a file without, or with others. */
export function secretsIn(setting: string, file: string, charactersMin: number): string[] {
  const lines = readSecret(setting, file).split('\n')
  const secrets = lines.map((line) => line.trim()).filter(Boolean)
  if (secrets.length <= SECRETS_MAX && secrets.every(({ length }) => length >= charactersMin)) return secrets
  throw new StartError(`${setting} is ${file}, which must have one or two secrets of at least ${charactersMin} characters.`)
}
