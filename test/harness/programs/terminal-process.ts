import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { CHECKOUT } from './command-process.ts'

/** Whether this machine has the `script` of util-linux, which runs a program in a terminal of its own. */
export const HAS_TERMINALS = spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout?.includes('util-linux') ?? false

export interface TerminalProcess {
  child: ChildProcess
  /** What the terminal got so far. */
  screen: () => string
  /** Presses keys. */
  type: (keys: string) => void
  /** Resolves to its exit code. */
  ended: Promise<number | null>
}

/** Runs a command of the program in a terminal of some columns. */
export function startInTerminal(
  args: readonly string[],
  { columns, cwd, environment = {} }: { columns: number; cwd: string; environment?: Record<string, string> },
): TerminalProcess {
  const words = [process.execPath, join(CHECKOUT, 'src', 'main', 'footfall.js'), ...args]
  const command = words.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(' ')
  const child = spawn('script', ['-qefc', `stty rows 24 cols ${columns}; exec ${command}`, '/dev/null'], {
    cwd,
    env: { ...process.env, ...environment },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let screen = ''
  child.stdout.on('data', (chunk: Buffer) => (screen += chunk.toString()))
  return {
    child,
    screen: () => screen,
    type: (keys) => void child.stdin.write(keys),
    ended: new Promise((resolve) => child.once('close', (code) => resolve(code))),
  }
}
