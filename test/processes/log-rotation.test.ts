import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openLogFile } from '../../src/main/embedded/log-file.ts'
import { rotateLogs, rotateOnce } from '../../src/main/embedded/log-rotation.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'footfall-logs-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const pathOf = (name: string) => join(folder, name)
const sizeOf = (name: string) => statSync(pathOf(name), { throwIfNoEntry: false })?.size ?? 0
const NAMES = ['gateway', 'endpoint', 'postgres', 'restate']
const totalSize = () => NAMES.reduce((sum, name) => sum + sizeOf(`${name}.log`) + sizeOf(`${name}.log.1`), 0)

test('logs that are written for ever stay below their size, keep their last lines, and are private', () => {
  const bytesMax = 80_000
  const files = NAMES.map((name) => openLogFile(pathOf(`${name}.log`)))
  let most = 0
  for (let n = 0; n < 20_000; n++) {
    writeSync(files[n % files.length]!, `line ${n}\n`)
    if (n % 100 === 0) rotateOnce(folder, bytesMax)
    most = Math.max(most, totalSize())
  }
  for (const file of files) closeSync(file)
  // Between two checks each log grows by 25 lines, and may be copied with them.
  expect(most).toBeLessThan(bytesMax + 4 * 2 * 25 * 11)
  for (const [place, name] of NAMES.entries()) {
    const text = readFileSync(pathOf(`${name}.log.1`), 'utf8') + readFileSync(pathOf(`${name}.log`), 'utf8')
    const lines = text.trimEnd().split('\n')
    const last = 20_000 - 4 + place
    expect(lines).toEqual(lines.map((_, index) => `line ${last - 4 * (lines.length - 1 - index)}`))
    expect(lines.length).toBeGreaterThan(500)
    for (const file of [`${name}.log`, `${name}.log.1`]) expect(statSync(pathOf(file)).mode & 0o777).toBe(0o600)
  }
})

test('a process that inherited a log goes on at its new end, also when nothing rotates it any more', async () => {
  const log = openLogFile(pathOf('postgres.log'))
  const child = spawn('sh', ['-c', 'head -c 100000 /dev/zero | tr "\\0" x; echo; echo full >&3; read go; echo after'], {
    stdio: ['pipe', log, log, 'pipe'],
  })
  closeSync(log)
  await once(child.stdio[3]!, 'data')
  const stop = rotateLogs(folder, 100_000)
  stop()
  expect([sizeOf('postgres.log'), sizeOf('postgres.log.1')]).toEqual([0, 100_001])
  child.stdin!.end('go\n')
  await once(child, 'exit')
  expect(readFileSync(pathOf('postgres.log'), 'utf8')).toBe('after\n')
})

test('other files of the folder stay as they are', () => {
  writeFileSync(pathOf('notes.txt'), 'x'.repeat(1_000))
  writeFileSync(pathOf('gateway.log'), 'short')
  rotateOnce(folder, 100)
  expect([sizeOf('notes.txt'), sizeOf('gateway.log'), sizeOf('gateway.log.1')]).toEqual([1_000, 5, 0])
})

test('a log that cannot be rotated holds up no other', () => {
  mkdirSync(pathOf('a.log'))
  mkdirSync(pathOf('endpoint.log.1'))
  for (const name of ['endpoint.log', 'gateway.log']) writeFileSync(pathOf(name), 'x'.repeat(1_000))
  rotateOnce(folder, 100)
  expect([sizeOf('gateway.log'), sizeOf('gateway.log.1')]).toEqual([0, 1_000])
})

test('a folder that is gone ends nothing', () => {
  expect(rotateLogs(pathOf('none'), 100)).not.toThrow()
})
