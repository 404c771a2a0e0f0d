import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { exitOf, isProcessGone } from '../../../src/main/embedded/process.ts'
import { until } from '../../../src/main/embedded/until.ts'

export const CHECKOUT = join(import.meta.dirname, '..', '..', '..')
const READY_MS_MAX = 30_000

export interface CommandProcess {
  child: ChildProcess
  /** The output so far, of both streams. */
  output: () => string
  /** Resolves to its exit code; null when a signal ended it. */
  ended: Promise<number | null>
}

/** A command of the program, from this checkout or another one. */
export function startCommandProcess(
  args: readonly string[],
  environment: Record<string, string>,
  checkout = CHECKOUT,
): CommandProcess {
  const child = spawn(process.execPath, [join(checkout, 'src', 'main', 'footfall.js'), ...args], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  return { child, output: () => output, ended: exitOf(child).then(() => child.exitCode) }
}

/** Runs a command to its end. */
export async function runCommandProcess(
  args: readonly string[],
  environment: Record<string, string>,
  checkout?: string,
): Promise<{ code: number | null; output: string }> {
  const part = startCommandProcess(args, environment, checkout)
  const code = await part.ended
  return { code, output: part.output() }
}

/** Resolves when the process answers at an address. @throws what it printed when it ends or does not. */
export async function answering(part: CommandProcess, url: string, msMax = READY_MS_MAX): Promise<CommandProcess> {
  const isThere = () =>
    fetch(url).then(
      ({ ok }) => ok,
      () => false,
    )
  const ready = await until(async () => isProcessGone(part.child) || (await isThere()), msMax)
  if (ready && !isProcessGone(part.child)) return part
  part.child.kill('SIGKILL')
  throw new Error(`It did not start: ${part.output()}`)
}
