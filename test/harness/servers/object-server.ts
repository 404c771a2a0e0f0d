import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { freePorts, isListening } from '../../../src/main/embedded/ports.ts'
import { stopProcess } from '../../../src/main/embedded/process.ts'
import { until } from '../../../src/main/embedded/until.ts'

/** Speaks the protocols of S3 and of DynamoDB. */
const MOTO = 'moto[server]==5.2.5'
const CACHE = join(import.meta.dirname, '..', '..', '..', 'node_modules', '.cache', 'footfall')
const FOLDER = process.env['MOTO_VENV'] ?? join(CACHE, 'moto-5.2.5')
const INSTALL_MS_MAX = 240_000
const START_MS_MAX = 60_000

/** Why tests with a server of S3 are skipped; undefined where one can be had. Installs it the first time: 317 MB. */
export async function noObjectServer(): Promise<string | undefined> {
  if (existsSync(programOf(FOLDER))) return undefined
  if (spawnSync('python3', ['-m', 'pip', '--version']).status !== 0) return 'pip is not installed (apt-get install python3-venv)'
  const making = `${FOLDER}.${process.pid}`
  await mkdir(CACHE, { recursive: true })
  const isInstalled =
    spawnSync('python3', ['-m', 'venv', making]).status === 0 &&
    spawnSync(join(making, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', MOTO], { timeout: INSTALL_MS_MAX }).status === 0
  if (!isInstalled) return `pip cannot install ${MOTO}`
  // Another worker may have been faster.
  await rename(making, FOLDER).catch(() => undefined)
  return undefined
}

/** A venv can be moved when its interpreter is called by its path. */
const programOf = (folder: string) => join(folder, 'bin', 'moto_server')

export interface ObjectServer {
  url: string
  stop: () => Promise<void>
}

/** A server on a free port. Its objects are in its memory. */
export async function startObjectServer(): Promise<ObjectServer> {
  const [port] = (await freePorts(1)) as [number]
  const python = join(FOLDER, 'bin', 'python')
  const child: ChildProcess = spawn(python, [programOf(FOLDER), '-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' })
  const url = `http://127.0.0.1:${port}`
  if (!(await until(() => isListening(url), START_MS_MAX))) {
    await stopProcess(child, 'SIGKILL')
    throw new Error('moto_server does not listen')
  }
  return { url, stop: () => stopProcess(child, 'SIGKILL') }
}
