import { readdir, readFile } from 'node:fs/promises'

/** Linux counts CPU time in hundredths of a second. */
const TICKS_PER_SECOND = 100

/** CPU seconds that each process has used so far, of those given and of those that they started; none where the kernel does not say. */
export async function cpuSecondsOf(pids: readonly number[]): Promise<Map<number, number>> {
  const processes = await allProcesses()
  const mine = new Set(pids)
  // A child's number may be the smaller one: until there are no more.
  for (let size = 0; size !== mine.size;) {
    size = mine.size
    for (const { pid, parent } of processes) if (mine.has(parent)) mine.add(pid)
  }
  return new Map(processes.filter(({ pid }) => mine.has(pid)).map(({ pid, ticks }) => [pid, ticks / TICKS_PER_SECOND]))
}

/** CPU seconds between two looks; of a process that ended in between nothing is known. */
export function cpuSecondsBetween(before: Map<number, number>, after: Map<number, number>): number {
  return [...after].reduce((sum, [pid, seconds]) => sum + seconds - (before.get(pid) ?? 0), 0)
}

async function allProcesses(): Promise<{ pid: number; parent: number; ticks: number }[]> {
  const names = await readdir('/proc').catch(() => [])
  const found = await Promise.all(
    names
      .filter((name) => /^\d+$/.test(name))
      .map(async (name) => {
        const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '')
        // The name of the program comes first, in brackets, and may have spaces.
        const fields = stat
          .slice(stat.lastIndexOf(')') + 2)
          .split(' ')
          .map(Number)
        return { pid: Number(name), parent: fields[1]!, ticks: fields[11]! + fields[12]! }
      }),
  )
  return found.filter(({ ticks }) => Number.isFinite(ticks))
}
