import { spawn, spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts, isListening } from '../../../src/main/embedded/ports.ts'
import { stopProcess } from '../../../src/main/embedded/process.ts'
import { until } from '../../../src/main/embedded/until.ts'
import type { ObjectServer } from './object-server.ts'

const PROGRAM = process.env['VERSITYGW'] ?? 'versitygw'
const START_MS_MAX = 60_000

/** Why tests with a second server of S3 are skipped; undefined where it is installed. */
export function noVersityServer(): string | undefined {
  if (spawnSync(PROGRAM, ['--version']).status === 0) return undefined
  return 'versitygw is not installed (go install github.com/versity/versitygw/cmd/versitygw@v1.8.0, or VERSITYGW)'
}

/** versitygw on a free port, with its objects in a folder and the credentials of tests. */
export async function startVersityServer(): Promise<ObjectServer> {
  const folder = await mkdtemp(join(tmpdir(), 'footfall-versitygw-'))
  for (const name of ['objects', 'iam']) await mkdir(join(folder, name))
  const [port] = (await freePorts(1)) as [number]
  const options = [
    '--quiet',
    '--access',
    'test',
    '--secret',
    'test',
    '--port',
    `127.0.0.1:${port}`,
    '--iam-dir',
    join(folder, 'iam'),
  ]
  const child = spawn(PROGRAM, [...options, 'posix', join(folder, 'objects')], { stdio: 'ignore' })
  const url = `http://127.0.0.1:${port}`
  const stop = async () => {
    await stopProcess(child, 'SIGKILL')
    await rm(folder, { recursive: true, force: true })
  }
  if (await until(() => isListening(url), START_MS_MAX)) return { url, stop }
  await stop()
  throw new Error('versitygw does not listen')
}
