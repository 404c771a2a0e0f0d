import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { commandLineOf, isProcessGone } from '../../src/main/embedded/process.ts'
import { clearPidFile, createSupervisor, type Part } from '../../src/main/embedded/supervisor.ts'
import { until } from '../../src/main/embedded/until.ts'

let folder: string
let pidFile: string
let spawned: ChildProcess[]
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'footfall-supervisor-'))
  pidFile = join(folder, 'processes.json')
  spawned = []
})
afterEach(async () => {
  for (const child of spawned) child.kill('SIGKILL')
  await rm(folder, { recursive: true, force: true })
})

/** A process that is ready when `ready` resolves. */
function part(ready: () => Promise<void> = async () => undefined): Part {
  return {
    name: 'The sleeper',
    stopSignal: 'SIGTERM',
    mark: folder,
    start: async (onSpawn) => {
      const child = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)', folder], { stdio: 'ignore' })
      spawned.push(child)
      onSpawn(child)
      await Promise.race([ready(), until(async () => isProcessGone(child), 60_000)])
    },
  }
}

const pidsInFile = () =>
  (JSON.parse(readFileSync(pidFile, 'utf8')) as { children: { pid: number }[] }).children.map(({ pid }) => pid)

test('a process is written into the file before it is ready', async () => {
  const supervisor = createSupervisor(pidFile, () => undefined)
  const never = supervisor.keep(part(() => new Promise(() => undefined)))
  expect(pidsInFile()).toEqual([spawned[0]!.pid])
  await supervisor.stop()
  await never
  expect(isProcessGone(spawned[0]!)).toBe(true)
})

test('a process that is being restarted is stopped with the others', async () => {
  const supervisor = createSupervisor(pidFile, () => undefined)
  let starts = 0
  await supervisor.keep(part(() => (++starts === 1 ? Promise.resolve() : new Promise(() => undefined))))
  spawned[0]!.kill('SIGKILL')
  expect(await until(async () => spawned.length === 2, 10_000)).toBe(true)
  await supervisor.stop()
  expect(spawned.map(isProcessGone)).toEqual([true, true])
  expect(existsSync(pidFile)).toBe(false)
})

test('processes of a killed run are ended, and other processes with the same pids are not', async () => {
  const [ours, foreign] = [part(), { ...part(), mark: 'another program' }]
  for (const one of [ours, foreign]) await one.start(() => undefined)
  const children = spawned.map(({ pid }, n) => ({ pid, mark: [ours, foreign][n]!.mark, signal: 'SIGTERM' }))
  writeFileSync(pidFile, JSON.stringify({ supervisor: 2 ** 22 + 1, children }))
  await clearPidFile(pidFile, 'footfall.js')
  expect(await until(async () => isProcessGone(spawned[0]!), 10_000)).toBe(true)
  expect(await commandLineOf(spawned[1]!.pid!)).toContain(folder)
})

test('a truncated file does not prevent a start', async () => {
  writeFileSync(pidFile, '{"supervisor": 12')
  await expect(clearPidFile(pidFile, 'footfall.js')).resolves.toBeUndefined()
})
