import { readdir, readFile } from 'node:fs/promises'

/** Linux counts CPU time in hundredths of a second. */
const TICKS_PER_SECOND = 100

/** CPU seconds of these processes and their descendants so far; empty on a system without /proc. */
export async function cpuSecondsOf(pids: readonly number[]): Promise<Map<number, number>> {
  const processes = await allProcesses()
  const selected = new Set(pids)
  // Repeated until no child is added, because a child's number may be smaller than its parent's.
  for (let size = 0; size !== selected.size;) {
    size = selected.size
    for (const { pid, parent } of processes) if (selected.has(parent)) selected.add(pid)
  }
  return new Map(processes.filter(({ pid }) => selected.has(pid)).map(({ pid, ticks }) => [pid, ticks / TICKS_PER_SECOND]))
}

/** CPU seconds between two measurements; a process that ended in between is not counted. */
export function cpuSecondsBetween(before: Map<number, number>, after: Map<number, number>): number {
  return [...after].reduce((sum, [pid, seconds]) => sum + seconds - (before.get(pid) ?? 0), 0)
}

/** CPU seconds so far of a process, of its descendants, and of those that have ended. */
export async function cpuSecondsOfTree(pid: number): Promise<number> {
  const living = await cpuSecondsOf([pid])
  const ended = (await allProcesses()).filter((one) => living.has(one.pid)).map(({ endedTicks }) => endedTicks / TICKS_PER_SECOND)
  return [...living.values(), ...ended].reduce((sum, seconds) => sum + seconds, 0)
}

interface ProcessTicks {
  pid: number
  parent: number
  ticks: number
  /** Of its children that have ended, and of theirs. */
  endedTicks: number
}

async function allProcesses(): Promise<ProcessTicks[]> {
  const names = await readdir('/proc').catch(() => [])
  const found = await Promise.all(
    names
      .filter((name) => /^\d+$/.test(name))
      .map(async (name) => {
        const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '')
        // The program's name comes first, in brackets, and may contain spaces.
        const fields = stat
          .slice(stat.lastIndexOf(')') + 2)
          .split(' ')
          .map(Number)
        return { pid: Number(name), parent: fields[1]!, ticks: fields[11]! + fields[12]!, endedTicks: fields[13]! + fields[14]! }
      }),
  )
  return found.filter(({ ticks }) => Number.isFinite(ticks))
}
