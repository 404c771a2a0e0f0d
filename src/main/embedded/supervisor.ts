import type { ChildProcess } from 'node:child_process'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { commandLineOf, endLeftover, exitOf, type OnSpawn, stopProcess } from './process.ts'
import { StartError } from '../config/start-error.ts'

/** One process that is kept running. */
export interface Part {
  name: string
  /** Resolves when the process does its work. */
  start: (onSpawn: OnSpawn) => Promise<unknown>
  stopSignal: NodeJS.Signals
  /** A text that only this part's command line contains. */
  mark: string
}

export interface Supervisor {
  /** Starts a part and keeps it running until everything stops. */
  keep: (part: Part) => Promise<void>
  /** Stops everything, last started first, also what is just being started. */
  stop: () => Promise<void>
  /** Kills everything at once. */
  kill: () => void
}

interface Kept {
  part: Part
  child?: ChildProcess
  /** Its first start, and then the watch over it. */
  work?: Promise<void>
}

const RESTART_MS_MIN = 200
const RESTART_MS_MAX = 10_000

/**
 * Watches child processes: one that ends is started again. Their pids are in a file from the moment that they exist, so
 * that the next start can end what a killed one left behind.
 */
export function createSupervisor(pidFile: string, say: (line: string) => void): Supervisor {
  const kept: Kept[] = []
  const stopping = new AbortController()

  const launch = async (one: Kept) => {
    await one.part.start((child) => {
      one.child = child
      if (stopping.signal.aborted) {
        child.kill('SIGKILL')
        throw new Error('everything is being stopped')
      }
      notePids(pidFile, kept)
    })
  }

  const watch = async (one: Kept) => {
    for (let pauseMs = RESTART_MS_MIN; !stopping.signal.aborted;) {
      if (one.child) await exitOf(one.child)
      if (stopping.signal.aborted) return
      say(`${one.part.name} ended (${one.child?.signalCode ?? one.child?.exitCode}); starting it again`)
      try {
        await launch(one)
        pauseMs = RESTART_MS_MIN
        say(`${one.part.name} runs again`)
      } catch (error) {
        if (stopping.signal.aborted) return
        say(`${one.part.name} did not start: ${(error as Error).message}; trying again`)
        await sleep(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined)
        pauseMs = Math.min(2 * pauseMs, RESTART_MS_MAX)
      }
    }
  }

  return {
    keep: async (part) => {
      const one: Kept = { part }
      kept.push(one)
      const launched = launch(one)
      one.work = launched.then(
        () => watch(one),
        () => undefined,
      )
      await launched
    },
    stop: async () => {
      stopping.abort()
      for (const { part, child } of kept.toReversed()) if (child) await stopProcess(child, part.stopSignal)
      // A start that was under way may have spawned once more since; its child is killed at once.
      for (const { work } of kept) await work
      await rm(pidFile, { force: true })
    },
    kill: () => {
      stopping.abort()
      for (const { child } of kept) child?.kill('SIGKILL')
    },
  }
}

interface Pids {
  supervisor: number
  children: { pid: number; mark: string; signal: NodeJS.Signals }[]
}

/** Written beside and renamed: a kill in the middle leaves the file as it was. */
function notePids(pidFile: string, kept: readonly Kept[]): void {
  const children = kept.flatMap(({ part, child }) =>
    child?.pid === undefined ? [] : [{ pid: child.pid, mark: part.mark, signal: part.stopSignal }],
  )
  const pids: Pids = { supervisor: process.pid, children }
  writeFileSync(`${pidFile}.new`, JSON.stringify(pids))
  renameSync(`${pidFile}.new`, pidFile)
}

function readPids(pidFile: string): Pids | undefined {
  try {
    return JSON.parse(readFileSync(pidFile, 'utf8')) as Pids
  } catch {
    return undefined
  }
}

/** Ends what a killed run left behind; refuses when that run is alive. */
export async function clearPidFile(pidFile: string, supervisorMark: string): Promise<void> {
  const pids = readPids(pidFile)
  if (pids === undefined) return
  const { supervisor, children } = pids
  if (supervisor !== process.pid && (await commandLineOf(supervisor))?.includes(supervisorMark)) {
    throw new StartError(
      `Footfall already runs on this folder (process ${supervisor}): stop it, or set FOOTFALL_HOME to another folder.`,
    )
  }
  for (const { pid, mark, signal } of children.toReversed()) await endLeftover(pid, mark, signal)
  await rm(pidFile, { force: true })
}
