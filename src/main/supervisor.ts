import type { ChildProcess } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { commandLineOf, endLeftover, hasEnded, StartError, stopProcess } from './embedded/process.ts'

/** One process that is kept running. */
export interface Part {
  name: string
  /** Resolves when the process does its work. */
  start: () => Promise<ChildProcess>
  stopSignal: NodeJS.Signals
  /** A text that only this part's command line contains. */
  mark: string
}

export interface Supervisor {
  /** Starts a part and keeps it running until everything stops. */
  keep: (part: Part) => Promise<void>
  /** Stops everything, last started first. */
  stop: () => Promise<void>
  /** Kills everything at once. */
  kill: () => void
}

interface Kept {
  part: Part
  child: ChildProcess
}

const RESTART_MS_MIN = 200
const RESTART_MS_MAX = 10_000

/**
 * Watches child processes: one that ends is started again. Their pids are kept in a file, so that the next start can end
 * what a killed one left behind.
 */
export function createSupervisor(pidFile: string, say: (line: string) => void): Supervisor {
  const kept: Kept[] = []
  let stopping = false
  const notePids = () => {
    const children = kept.map(({ part, child }) => ({ pid: child.pid, mark: part.mark, signal: part.stopSignal }))
    writeFileSync(pidFile, JSON.stringify({ supervisor: process.pid, children }))
  }

  const watch = async (one: Kept) => {
    for (let pauseMs = RESTART_MS_MIN; !stopping;) {
      if (!hasEnded(one.child)) await once(one.child, 'exit')
      if (stopping) return
      say(`${one.part.name} ended (${one.child.signalCode ?? one.child.exitCode}); starting it again`)
      try {
        one.child = await one.part.start()
        notePids()
        pauseMs = RESTART_MS_MIN
        say(`${one.part.name} runs again`)
      } catch (error) {
        say(`${one.part.name} did not start: ${(error as Error).message}; trying again`)
        await sleep(pauseMs)
        pauseMs = Math.min(2 * pauseMs, RESTART_MS_MAX)
      }
    }
  }

  return {
    keep: async (part) => {
      const one = { part, child: await part.start() }
      if (stopping) return stopProcess(one.child, part.stopSignal)
      kept.push(one)
      notePids()
      void watch(one)
    },
    stop: async () => {
      stopping = true
      for (const { part, child } of kept.toReversed()) await stopProcess(child, part.stopSignal)
      await rm(pidFile, { force: true })
    },
    kill: () => {
      stopping = true
      for (const { child } of kept) child.kill('SIGKILL')
    },
  }
}

/** Ends what a killed run left behind; refuses when that run is alive. */
export async function clearPidFile(pidFile: string, supervisorMark: string): Promise<void> {
  if (!existsSync(pidFile)) return
  const { supervisor, children } = JSON.parse(readFileSync(pidFile, 'utf8')) as {
    supervisor: number
    children: { pid: number; mark: string; signal: NodeJS.Signals }[]
  }
  if (supervisor !== process.pid && (await commandLineOf(supervisor))?.includes(supervisorMark)) {
    throw new StartError(
      `Footfall already runs on this folder (process ${supervisor}): stop it, or set FOOTFALL_HOME to another folder.`,
    )
  }
  for (const { pid, mark, signal } of children.toReversed()) await endLeftover(pid, mark, signal)
  await rm(pidFile, { force: true })
}
