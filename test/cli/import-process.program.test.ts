import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { importCommand } from '../../src/cli/commands/import.ts'
import { widthOf } from '../../src/cli/terminal/cells.ts'
import { until } from '../../src/main/embedded/until.ts'
import { CHECKOUT } from '../harness/programs/command-process.ts'
import { runCommand } from '../harness/programs/command.ts'
import { HAS_TERMINALS, startInTerminal } from '../harness/programs/terminal-process.ts'
import { type AnsweringIngress, startAnsweringIngress } from '../harness/servers/answering-ingress.ts'

const HEADER = 'occurred_at,account_id,event_type,ref_id'
const row = (ref: string, n = 0) => `2026-03-01T12:00:${String(n % 60).padStart(2, '0')}Z,ada${n},view,${ref}`
const csv = (...rows: string[]) => [HEADER, ...rows].join('\n')

let ingress: AnsweringIngress
let folder: string

beforeAll(async () => {
  ingress = await startAnsweringIngress()
})
afterAll(() => ingress.close())

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'footfall-import-process-'))
  return () => rm(folder, { recursive: true, force: true })
})

interface Ran {
  code: number
  stdout: string
  stderr: string
}

/** Runs `footfall import` in the folder of the test. */
async function runImport(args: readonly string[], environment: Record<string, string> = {}): Promise<Ran> {
  const program = join(CHECKOUT, 'src', 'main', 'footfall.js')
  const env = { ...process.env, RESTATE_INGRESS_URL: ingress.url, ...environment }
  return new Promise((resolve) => {
    execFile(process.execPath, [program, 'import', ...args], { cwd: folder, env }, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    )
  })
}

const FILES: Record<string, string | Uint8Array> = {
  'good.csv': csv(row('lamp'), row('old lamp')),
  'some.csv': csv(row('lamp'), row('bad lamp'), 'never,ada,view,lamp'),
  'bad.csv': csv('never,ada,view,lamp', row('bad lamp')),
  'rejected.csv': csv(row('bad lamp')),
  'header.csv': `${HEADER}\n`,
  'empty.csv': '',
  'scroll.json': '{"event_name":"scroll","event_timestamp":"1772360100000000","user_id":"a","items":[{"item_id":"p"}]}',
  'foreign.csv': 'a,b\n1,2\n',
  'zip.csv.gz': 'PK\u0003\u0004',
  'cut.csv.gz': gzipSync(csv(...Array.from({ length: 20_000 }, (_, n) => row(`p${Math.sin(n)}`, n)))).subarray(0, 60_000),
}

describe('the exit status', () => {
  const STATUSES: [what: string, args: string[], code: number, sentence: string][] = [
    ['every row is recorded, or was before', ['good.csv'], 0, 'total: 2 rows, 1 accepted, 1 duplicates, 0 rejected'],
    ['some rows are refused', ['some.csv'], 3, 'total: 3 rows, 1 accepted, 0 duplicates, 2 rejected'],
    ['rows of one file of two are refused', ['good.csv', 'bad.csv'], 3, 'total: 4 rows, 1 accepted, 1 duplicates, 2 rejected'],
    ['all rows are refused', ['bad.csv'], 4, 'total: 2 rows, 0 accepted, 0 duplicates, 2 rejected'],
    ['the receiver rejects all rows', ['rejected.csv'], 4, 'total: 1 rows, 0 accepted, 0 duplicates, 1 rejected'],
    ['a file has a header alone', ['header.csv'], 4, 'No rows were found'],
    ['a file is empty', ['empty.csv'], 4, 'No rows were found'],
    [
      'a preset leaves out all rows',
      ['scroll.json', '--preset', 'ga4'],
      4,
      'Left out by --preset ga4: 1 row of other event types',
    ],
    ['a rule is wrong', ['good.csv', '--map', 'ref_id'], 2, 'a rule is FIELD=COLUMN'],
    ['a column is missing', ['good.csv', '--map', 'ref_id=sku'], 2, 'has no column "sku"'],
    ['no column fits', ['foreign.csv'], 2, 'Nothing gives event_type'],
    ['rejected rows would overwrite the file', ['good.csv', '--rejected', 'good.csv'], 2, 'is also a file to import'],
    ['the ingress is no address', ['good.csv', '--ingress', 'x'], 2, 'is not an address of Restate'],
    ['the ingress does not answer', ['good.csv', '--ingress', 'http://127.0.0.1:1'], 1, 'Restate does not answer'],
    ['a file does not exist', ['none.csv'], 1, 'there is no such file'],
    ['a file is an archive', ['zip.csv.gz'], 1, 'is a zip archive'],
    ['a file ends in the middle', ['cut.csv.gz'], 1, 'running it again is safe'],
  ]
  test.each(STATUSES)('when %s', async (_what, args, code, sentence) => {
    for (const [name, content] of Object.entries(FILES)) await writeFile(join(folder, name), content)
    const ran = await runImport(args)
    expect({ code: ran.code, output: ran.stdout + ran.stderr }).toEqual({ code, output: expect.stringContaining(sentence) })
  })

  const WRONG: [what: string, args: string[], sentence: string][] = [
    ['there is no file', [], "missing required argument 'files'"],
    ['an option is unknown', ['good.csv', '--nonsense'], "unknown option '--nonsense'"],
    ['an option has a wrong value', ['good.csv', '--batch', '0'], 'It is a whole number from 1'],
    ['options exclude each other', ['good.csv', '--time-zone', 'UTC', '--utc-offset', 'Z'], 'cannot be used with option'],
    ['a rule is wrong', ['good.csv', '--map', 'ref_id'], 'a rule is FIELD=COLUMN'],
    ['a field is none', ['good.csv', '--set', 'reff_id=x'], 'reff_id is not a field of an interaction'],
    ['a value map is wrong', ['good.csv', '--values', 'x'], 'a value map is FIELD:FROM=TO'],
    ['a time zone is none', ['good.csv', '--time-zone', 'Mars/Base'], 'a time zone is UTC or a name'],
    ['an offset is none', ['good.csv', '--utc-offset', 'x'], 'an offset is +HH:MM'],
    ['prices are for products', ['good.csv', '--price-decimals', '2'], 'add --products'],
  ]
  test.each(WRONG)('is 2 when %s, before a file is read', async (_what, args, sentence) => {
    const { code, text } = await runCommand(importCommand(), args, { RESTATE_INGRESS_URL: ingress.url })
    expect({ code, text }).toEqual({ code: 2, text: expect.stringContaining(sentence) })
  })

  test('of other commands is 2 for a command line that cannot be, and 0 for help', async () => {
    const statusOf = async (...args: string[]) =>
      new Promise<number>((resolve) => {
        const program = join(CHECKOUT, 'src', 'main', 'footfall.js')
        execFile(process.execPath, [program, ...args], (error) => resolve(Number(error?.code ?? 0)))
      })
    const lines: [args: string[], status: number][] = [
      [['nonsense'], 2],
      [['verify', '--nonsense'], 2],
      [['top', '--limit', 'x'], 2],
      [['key', 'create', 'x'], 2],
      [['recompute'], 2],
      [['key', 'create', '--help'], 0],
    ]
    const found = await Promise.all(lines.map(async ([args]) => [args, await statusOf(...args)]))
    expect(found).toEqual(lines)
  })

  test('is 130 after Ctrl-C', async () => {
    const { ingress: held, isAsked } = await heldIngress()
    await writeFile(join(folder, 'good.csv'), FILES['good.csv']!)
    const program = join(CHECKOUT, 'src', 'main', 'footfall.js')
    const ran = new Promise<{ code: number; stderr: string }>((resolve) => {
      const child = execFile(
        process.execPath,
        [program, 'import', 'good.csv', '--ingress', held.url],
        { cwd: folder },
        (error, _, stderr) => resolve({ code: Number(error?.code ?? 0), stderr }),
      )
      void isAsked.then(() => child.kill('SIGINT'))
    })
    expect(await ran).toEqual({ code: 130, stderr: expect.stringMatching(/it was interrupted.*running it again is safe/) })
  })
})

test('a pipe gets no control character, whatever a file is called and has', async () => {
  await writeFile(join(folder, 'a\u001B[2J.csv'), csv(row('lamp'), row('bad \u0007\u202E'), 'x\u001B]0;title,ada,view,lamp'))
  for (const args of [[], ['--dry-run']]) {
    const { stdout, stderr } = await runImport(['a\u001B[2J.csv', ...args])
    expect(stdout + stderr).not.toMatch(/[[\p{Cc}\p{Cf}]--\n]/v)
  }
})

test('a dry run asks nothing of the ingress, and writes nothing, not even refused rows', async () => {
  await writeFile(join(folder, 'some.csv'), FILES['some.csv']!)
  const before = ingress.requests.length
  const away = { RESTATE_INGRESS_URL: 'http://127.0.0.1:1', GATEWAY_PORT: '1' }
  const { code, stdout, stderr } = await runImport(['some.csv', '--dry-run'], away)
  expect({ code, stderr }).toEqual({ code: 3, stderr: '' })
  expect(stdout).toContain('some.csv has 3 rows: 2 would be sent, 1 refused:')
  expect(stdout).toContain('no gateway answers at http://127.0.0.1:1')
  expect(await readdir(folder)).toEqual(['some.csv'])
  expect((await runImport(['some.csv', '--dry-run', '--gateway', `${ingress.url}/`])).stdout).toContain('balanced')
  expect(ingress.requests.slice(before)).toEqual(['GET /api/v1/analytic/event-types?days=1'])
})

describe.runIf(HAS_TERMINALS)('in a terminal', () => {
  test.each([80, 40, 12])('of %i columns no frame of the bar is wider, and none is a new line', async (columns) => {
    await writeFile(join(folder, 'long.csv'), csv(...Array.from({ length: 10_000 }, (_, n) => row(`p${n}`, n))))
    const environment = { RESTATE_INGRESS_URL: ingress.url }
    const terminal = startInTerminal(['import', 'long.csv'], { columns, cwd: folder, environment })
    expect(await terminal.ended).toBe(0)
    const frames = terminal
      .screen()
      .split('\r')
      .filter((text) => / %/.test(text))
    expect(frames.length).toBeGreaterThan(0)
    for (const frame of frames) expect(widthOf(frame.replace(/\n.*/s, ''))).toBeLessThan(columns)
    for (const frame of frames) expect(frame).not.toContain('\n')
    expect(terminal.screen()).not.toContain('\u001B')
    expect(terminal.screen()).toContain('total: 10000 rows, 10000 accepted')
  })

  test('Ctrl-C ends the import with a sentence and 130', async () => {
    const { ingress: held, isAsked } = await heldIngress()
    await writeFile(join(folder, 'good.csv'), FILES['good.csv']!)
    const terminal = startInTerminal(['import', 'good.csv', '--ingress', held.url], { columns: 80, cwd: folder })
    await isAsked
    terminal.type('\u0003')
    expect(await terminal.ended).toBe(130)
    expect(terminal.screen()).toMatch(/The import stopped: it was interrupted/)
  })
})

/** An ingress that answers no recording, and a promise of the first one. */
async function heldIngress(): Promise<{ ingress: AnsweringIngress; isAsked: Promise<unknown> }> {
  let isHeld = false
  const held = await startAnsweringIngress(() => {
    isHeld = true
    return new Promise(() => undefined)
  })
  onTestFinished(held.close)
  return { ingress: held, isAsked: until(async () => isHeld, 30_000) }
}
