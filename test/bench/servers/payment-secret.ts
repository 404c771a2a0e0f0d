import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { StopAtEnd } from './bench-stack.ts'

/** A file with the secret of payment callbacks, as a gateway reads it, until the end of a row. @returns its path. */
export function paymentSecretFile(secret: string, stopAtEnd: StopAtEnd): string {
  const folder = mkdtempSync(join(tmpdir(), 'footfall-bench-secret-'))
  stopAtEnd({ stop: async () => rmSync(folder, { recursive: true, force: true }) })
  const file = join(folder, 'secret')
  writeFileSync(file, secret)
  return file
}
