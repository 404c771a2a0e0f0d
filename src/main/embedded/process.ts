import { type ChildProcess, execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createConnection, createServer } from 'node:net'
import { platform } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

/** A problem that the person at the terminal can solve: one sentence, no stack. */
export class StartError extends Error {}

/** Called with a process as soon as there is one, long before it does its work. */
export type OnSpawn = (child: ChildProcess) => void

const LOOPBACK = '127.0.0.1'

/** Whether a port of the loopback interface can be listened on. */
export async function isPortFree(port: number): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(port, LOOPBACK, () => server.close(() => resolve(true)))
  })
}

/** Whether anything accepts connections at the host and port of a URL. */
export async function isListening(url: string): Promise<boolean> {
  const { hostname, port, protocol } = new URL(url)
  const socket = createConnection({ host: hostname, port: Number(port || (protocol === 'https:' ? 443 : 80)), timeout: 2_000 })
  try {
    await Promise.race([once(socket, 'connect'), once(socket, 'timeout').then(() => Promise.reject(new Error('timed out')))])
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

const PORT_FIRST = 20_000
const PORT_LAST = 32_000
let nextPort = PORT_FIRST + Math.floor(Math.random() * (PORT_LAST - PORT_FIRST))

/**
 * Ports that were free a moment ago, all different. They lie below those that systems give to outgoing connections (from
 * 32768 on Linux): while the process that should have one is restarted, nobody's connection may be given it.
 */
export async function freePorts(count: number): Promise<number[]> {
  const found: number[] = []
  while (found.length < count) {
    nextPort = nextPort < PORT_LAST ? nextPort + 1 : PORT_FIRST
    if (await isPortFree(nextPort)) found.push(nextPort)
  }
  return found
}

/** Whether a process has ended, or was never there because its file could not be run. */
export function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null || child.pid === undefined
}

/** Resolves when a process ends; unlike events.once, not rejected by its errors. */
export async function exitOf(child: ChildProcess): Promise<void> {
  if (!hasEnded(child)) await new Promise<void>((resolve) => child.once('exit', () => resolve()))
}

/** Asks a process to end, and kills it when it takes too long. */
export async function stopProcess(child: ChildProcess, signal: NodeJS.Signals, patienceMs = 10_000): Promise<void> {
  if (hasEnded(child)) return
  const ended = exitOf(child)
  child.kill(signal)
  const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs)
  await ended
  clearTimeout(timer)
}

/** The command line of a running process; undefined when there is none, or when it is dead and not yet waited for. */
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

/** Ends a process that an earlier, killed run left behind; `mark` must be in its command line, for pids are used again. */
export async function endLeftover(pid: number, mark: string, signal: NodeJS.Signals): Promise<void> {
  const isOurs = async () => (await commandLineOf(pid))?.includes(mark) ?? false
  for (let attempt = 0; attempt < 150 && (await isOurs()); attempt++) {
    try {
      process.kill(pid, attempt < 100 ? signal : 'SIGKILL')
    } catch {
      return
    }
    await sleep(100)
  }
}

/** Asks until the answer is yes, or gives up. */
export async function until(question: () => Promise<boolean>, patienceMs: number): Promise<boolean> {
  for (const end = Date.now() + patienceMs; Date.now() < end; await sleep(50)) {
    if (await question()) return true
  }
  return false
}
