import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { platform } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

/** The kernel and ps call 1,024 bytes a kB. */
export const MEGABYTE_OF_KB = 1_024 / 1_000_000

/** The resident set size of a process in MB. */
export async function memoryOf(pid: number): Promise<number> {
  if (platform() === 'linux') {
    const status = await readFile(`/proc/${pid}/status`, 'utf8')
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * MEGABYTE_OF_KB
  }
  const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=', '-p', String(pid)])
  return Number(stdout) * MEGABYTE_OF_KB
}

export interface Sample {
  second: number
  /** MB of each process, in order of the pids. */
  megabytes: number[]
}

/** Takes a sample every second until `isOver`. */
export async function sampleMemory(pids: readonly number[], isOver: () => boolean): Promise<Sample[]> {
  const samples: Sample[] = []
  for (const startMs = performance.now(); !isOver(); await sleep(1_000)) {
    const megabytes = await Promise.all(pids.map(memoryOf))
    samples.push({ second: (performance.now() - startMs) / 1_000, megabytes })
  }
  return samples
}

/** The slope of the least-squares line through the points. */
export function slopeOf(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (place: 0 | 1) => points.reduce((sum, point) => sum + point[place], 0) / points.length
  const [meanX, meanY] = [mean(0), mean(1)]
  const over = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0)
  return over / points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0)
}
