import { type ChildProcess, execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { platform } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

/** Called with a process as soon as it is spawned, long before it does its work. */
export type OnSpawn = (child: ChildProcess) => void

const LEFTOVER_CHECK_MS = 100
/** 10 s with the polite signal, then 5 s with SIGKILL. */
const LEFTOVER_SIGNALS_MAX = 100
const LEFTOVER_CHECKS_MAX = 150

/** Whether a process has ended, or never existed because its file could not be run. */
export function isProcessGone(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null || child.pid === undefined
}

/** Resolves when a process ends. Errors of the process do not reject it, unlike events.once. */
export async function exitOf(child: ChildProcess): Promise<void> {
  if (!isProcessGone(child)) await new Promise<void>((resolve) => child.once('exit', () => resolve()))
}

/** Asks a process to end, and kills it if it still runs after `msMax`. */
export async function stopProcess(child: ChildProcess, signal: NodeJS.Signals, msMax = 10_000): Promise<void> {
  if (isProcessGone(child)) return
  const exit = exitOf(child)
  child.kill(signal)
  const timer = setTimeout(() => child.kill('SIGKILL'), msMax)
  await exit
  clearTimeout(timer)
}

/** The command line of a running process; undefined when no such process runs, zombies included. */
export async function commandLineOf(pid: number): Promise<string | undefined> {
  if (platform() === 'linux') {
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    return line === '' ? undefined : line.replaceAll('\0', ' ')
  }
  try {
    const { stdout } = await promisify(execFile)('ps', ['-ww', '-o', 'stat=,command=', '-p', String(pid)])
    const line = stdout.trim()
    return line === '' || line.startsWith('Z') ? undefined : line
  } catch {
    return undefined
  }
}

/**
 * Ends a process that an earlier, killed run left behind. Systems reuse process ids, so nothing happens unless its command
 * line contains `mark`.
 */
export async function endLeftover(pid: number, mark: string, signal: NodeJS.Signals): Promise<void> {
  const isOurs = async () => (await commandLineOf(pid))?.includes(mark) ?? false
  for (let check = 0; check < LEFTOVER_CHECKS_MAX && (await isOurs()); check++) {
    try {
      process.kill(pid, check < LEFTOVER_SIGNALS_MAX ? signal : 'SIGKILL')
    } catch {
      return
    }
    await sleep(LEFTOVER_CHECK_MS)
  }
}
