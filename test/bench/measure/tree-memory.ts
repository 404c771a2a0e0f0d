import { readdir, readFile } from 'node:fs/promises'
import { MEGABYTE_OF_KB } from './process-memory.ts'

export interface ProcessMemory {
  command: string
  /** MB. */
  rss: number
  /** MB; of memory that several processes share, each has its part. */
  pss: number
}

/** The memory of a process and of all processes below it. Linux only. */
export async function treeMemoryOf(root: number): Promise<ProcessMemory[]> {
  const pids = (await readdir('/proc')).map(Number).filter(Number.isInteger)
  const parents = new Map(
    (await Promise.all(pids.map(async (pid) => [pid, await parentOf(pid)] as const))).filter(
      ([, parent]) => parent !== undefined,
    ),
  )
  const isBelow = (pid: number | undefined): boolean => pid !== undefined && (pid === root || isBelow(parents.get(pid)))
  return Promise.all(pids.filter((pid) => isBelow(pid)).map(memoryOf))
}

async function parentOf(pid: number): Promise<number | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  // The name in brackets may have spaces.
  return stat === undefined ? undefined : Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
}

async function memoryOf(pid: number): Promise<ProcessMemory> {
  const [command, rollup] = await Promise.all([
    readFile(`/proc/${pid}/cmdline`, 'utf8'),
    readFile(`/proc/${pid}/smaps_rollup`, 'utf8'),
  ])
  const megabytes = (name: string) => Number(new RegExp(String.raw`^${name}:\s+(\d+) kB`, 'm').exec(rollup)?.[1]) * MEGABYTE_OF_KB
  return { command: command.replaceAll('\0', ' ').trim(), rss: megabytes('Rss'), pss: megabytes('Pss') }
}
