import type { ChildProcess } from 'node:child_process'
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { commandLineOf, endLeftover, exitOf, type OnSpawn, stopProcess } from './process.ts'
import { StartError } from '../config/start-error.ts'

/** A process that the supervisor keeps running. */
export interface Part {
  name: string
  /** Starts the process and resolves when it serves. */
  start: (onSpawn: OnSpawn) => Promise<unknown>
  stopSignal: NodeJS.Signals
  /** A text that only the command line of this process contains. */
  mark: string
}

export interface Supervisor {
  /** Starts a part and keeps it running until everything stops. */
  keep: (part: Part) => Promise<void>
  /** Ends a part, which then starts again; nothing for a part that is not kept. */
  restart: (name: string) => void
  /** Stops all processes, last started first, including starting ones. */
  stop: () => Promise<void>
  /** Kills all processes without waiting. */
  kill: () => void
}

interface Kept {
  part: Part
  child?: ChildProcess
  /** Its first start, then the loop that restarts it. */
  work?: Promise<void>
}

const RESTART_MS_MIN = 200
const RESTART_MS_MAX = 10_000

/**
 * Keeps child processes running: restarts each that ends. Their pids are in a file as soon as they exist, so that the next start can
 * end the children of a killed supervisor.
 */
export function createSupervisor(pidFile: string, print: (line: string) => void): Supervisor {
  const kept: Kept[] = []
  const stopping = new AbortController()

  const launch = async (entry: Kept) => {
    await entry.part.start((child) => {
      entry.child = child
      if (stopping.signal.aborted) {
        child.kill('SIGKILL')
        throw new Error('everything is being stopped')
      }
      notePids(pidFile, kept)
    })
  }

  const watch = async (entry: Kept) => {
    for (let pauseMs = RESTART_MS_MIN; !stopping.signal.aborted;) {
      if (entry.child) await exitOf(entry.child)
      if (stopping.signal.aborted) return
      print(`${entry.part.name} ended (${entry.child?.signalCode ?? entry.child?.exitCode}); starting it again`)
      try {
        await launch(entry)
        pauseMs = RESTART_MS_MIN
        print(`${entry.part.name} runs again`)
      } catch (error) {
        if (stopping.signal.aborted) return
        print(`${entry.part.name} did not start: ${(error as Error).message}; trying again`)
        await sleep(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined)
        pauseMs = Math.min(2 * pauseMs, RESTART_MS_MAX)
      }
    }
  }

  return {
    keep: async (part) => {
      const entry: Kept = { part }
      kept.push(entry)
      const launched = launch(entry)
      entry.work = launched.then(
        () => watch(entry),
        () => undefined,
      )
      await launched
    },
    restart: (name) => {
      const entry = kept.find(({ part }) => part.name === name)
      entry?.child?.kill(entry.part.stopSignal)
    },
    stop: async () => {
      stopping.abort()
      for (const { part, child } of kept.toReversed()) if (child) await stopProcess(child, part.stopSignal)
      // A start in progress may have spawned a child in the meantime, which launch has killed.
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

/**
 * Writes a new file and renames it, so that a kill in between leaves the old file intact. On a full disk the old file stays, because a
 * process that runs is worth more than the way to end it after a kill of this one.
 */
function notePids(pidFile: string, kept: readonly Kept[]): void {
  const children = kept.flatMap(({ part, child }) =>
    child?.pid === undefined ? [] : [{ pid: child.pid, mark: part.mark, signal: part.stopSignal }],
  )
  const pids: Pids = { supervisor: process.pid, children }
  rmSync(`${pidFile}.new`, { force: true })
  try {
    writeFileSync(`${pidFile}.new`, JSON.stringify(pids), { mode: 0o600 })
    renameSync(`${pidFile}.new`, pidFile)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
}

function readPids(pidFile: string): Pids | undefined {
  try {
    return JSON.parse(readFileSync(pidFile, 'utf8')) as Pids
  } catch {
    return undefined
  }
}

/** Ends the processes that a killed run left behind. @throws StartError while that run is alive. */
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
