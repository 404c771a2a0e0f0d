import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { join } from 'node:path'
import { platform } from 'node:os'
import { expect, test } from 'vitest'
import { createLog } from '../../src/main/log.ts'

const LONG = 'x'.repeat(1_000_000)

function lineOf(write: (log: ReturnType<typeof createLog>) => void): string {
  const lines: string[] = []
  write(createLog('test', 'info', { write: (line) => void lines.push(line) }))
  expect(lines).toHaveLength(1)
  return lines[0]!
}

const deep: Record<string, unknown> = {}
deep['self'] = deep

test.each<[string, (log: ReturnType<typeof createLog>) => void]>([
  ['a long message', (log) => log.info(LONG)],
  ['an error with a long message', (log) => log.warn({ err: new Error(LONG) }, 'failed')],
  ['an error because of another', (log) => log.warn({ err: new Error('one', { cause: new Error(LONG) }) })],
  ['an error with fields', (log) => log.warn({ err: Object.assign(new Error('one'), { detail: LONG, rows: [LONG, LONG] }) })],
  ['a long field', (log) => log.info({ invocationTarget: LONG, path: LONG }, 'call')],
  ['a long name of a field', (log) => log.info({ [LONG]: 1 })],
  ['many fields', (log) => log.info(Object.fromEntries(Array.from({ length: 1e5 }, (_, n) => [`f${n}`, n])))],
  ['a long list', (log) => log.info({ detail: Array.from({ length: 1e5 }, () => LONG) })],
  ['bytes', (log) => log.info({ body: Buffer.alloc(1e6) })],
  ['a circle', (log) => log.info(deep)],
])('%s makes a line of at most 100 kB that is JSON', (_name, write) => {
  const line = lineOf(write)
  expect(line.length).toBeLessThan(100_000)
  expect(JSON.parse(line)).toMatchObject({ name: 'test' })
})

test('an ordinary error has its message, its stack and its fields', () => {
  const line = lineOf((log) =>
    log.warn({ err: Object.assign(new Error('no space'), { code: '53100' }), tries: [1, 2] }, 'failed'),
  )
  expect(JSON.parse(line)).toMatchObject({
    msg: 'failed',
    tries: [1, 2],
    err: { type: 'Error', message: 'no space', code: '53100', stack: expect.stringContaining('log.test.ts') },
  })
})

test.skipIf(platform() !== 'linux')('a full disk of the log ends no process', async () => {
  const code = `
    import { createLog } from '${join(import.meta.dirname, '..', '..', 'src', 'main', 'log.ts')}'
    const log = createLog('test', 'info')
    for (let n = 0; n < 100_000; n++) log.info('a line that finds no space')
    setImmediate(() => process.exit(process.memoryUsage().heapUsed < 200e6 ? 7 : 8))`
  const full = openSync('/dev/full', 'w')
  const child = spawn(process.execPath, ['--input-type=module-typescript', '--eval', code], { stdio: ['ignore', full, 'pipe'] })
  let problems = ''
  child.stderr!.on('data', (chunk: Buffer) => (problems += chunk.toString()))
  await once(child, 'close')
  expect([child.exitCode, problems]).toEqual([7, ''])
})
