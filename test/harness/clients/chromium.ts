import { spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { stopProcess } from '../../../src/main/embedded/process.ts'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
const APPLICATIONS = ['Google Chrome', 'Chromium'].map((name) => `/Applications/${name}.app/Contents/MacOS/${name}`)

export const CHROMIUM_FLAGS = [
  ...['--headless', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync', '--disable-popup-blocking'],
  ...['--disable-background-networking', '--disable-component-update'],
  // Containers and root have no sandbox.
  ...(process.getuid?.() === 0 ? ['--no-sandbox', '--disable-dev-shm-usage'] : []),
]

/** CHROMIUM_PATH, or a Chromium or Chrome in one of the usual places. */
export function findChromium(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  const inPath = NAMES.flatMap((name) => folders.map((folder) => join(folder, name)))
  const given = process.env['CHROMIUM_PATH']
  return (given === undefined ? [...inPath, ...APPLICATIONS] : [given]).find(isExecutable)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Opens a page in a new profile. `names` maps host names to addresses. @returns a function that closes it. */
export async function openInChromium(chromium: string, url: string, names: Record<string, string>): Promise<() => Promise<void>> {
  const profile = await mkdtemp(join(tmpdir(), 'footfall-chromium-'))
  const rules = Object.entries(names).map(([name, address]) => `MAP ${name} ${address}`)
  const child = spawn(
    chromium,
    [...CHROMIUM_FLAGS, `--user-data-dir=${profile}`, `--host-resolver-rules=${rules.join(',')}`, url],
    {
      stdio: 'ignore',
    },
  )
  child.on('error', () => undefined)
  return async () => {
    await stopProcess(child, 'SIGKILL')
    await rm(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  }
}
