import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { sql } from 'kysely'
import { afterAll, expect } from 'vitest'
import { contextCommand } from '../../src/cli/commands/context.ts'
import { eraseCommand } from '../../src/cli/commands/erase.ts'
import { exportCommand } from '../../src/cli/commands/export.ts'
import { mergeCommand } from '../../src/cli/commands/merge.ts'
import type { AskForText } from '../../src/cli/terminal/confirm.ts'
import type { ErasureRun } from '../../src/contract/erasure.ts'
import { until } from '../../src/main/embedded/until.ts'
import { createApiKey } from '../../src/store/access/api-key.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { certifiedText } from '../../src/store/erasure/certificate.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { gatewayTest as test } from '../harness/fixtures.ts'
import { rowsWith } from '../harness/items/erased.ts'
import { runCommandProcess } from '../harness/programs/command-process.ts'
import { runCommand } from '../harness/programs/command.ts'
import { clear } from '../harness/servers/database.ts'
import type { TestGateway } from '../harness/servers/gateway.ts'
import { settled } from '../harness/servers/stack.ts'

const typed = { text: '' as string | symbol, asked: '' }
const ask: AskForText = async ({ message }) => {
  typed.asked = message
  return typed.text
}

test.beforeEach(({ db }) => clear(db))

const folder = mkdtempSync(join(tmpdir(), 'footfall-shopper-'))
afterAll(() => rmSync(folder, { recursive: true }))

const COMMANDS = { context: contextCommand, merge: mergeCommand, export: exportCommand, erase: () => eraseCommand(ask) }

function run(gateway: Pick<TestGateway, 'url'>, name: keyof typeof COMMANDS, ...args: string[]) {
  const command: Command = COMMANDS[name]()
  return runCommand(command, [...args, '--gateway', gateway.url], { FOOTFALL_KEY: '' })
}

async function view(gateway: TestGateway, event: object): Promise<void> {
  const answer = await fetch(`${gateway.url}/api/v1/event`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ event_type: 'view', ref_id: 'lamp', ...event }),
  })
  expect(answer.status).toBe(202)
}

/** Records a view, and waits until it is fed. */
async function record(db: Database, gateway: TestGateway, event: object): Promise<void> {
  const answer = await fetch(`${gateway.url}/api/v1/analytic/interaction`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ interactions: [{ event_type: 'view', ref_type: 'Product', ref_id: 'lamp', ...event }] }),
  })
  expect(await answer.json()).toMatchObject({ data: { accepted: 1 } })
  await settled(db)
}

test('context shows the visit of a shopper, and says when there is none', async ({ gateway }) => {
  await view(gateway, { session_id: 's-\u202e1', ref_id: 'lamp\u0007' })
  const { code, text } = await run(gateway, 'context', 'session:s-\u202e1')
  expect(code).toBe(0)
  expect(text).toMatch(/^session:s-\\u202e1, last event \d{4}-/)
  expect(text).toMatch(/'lamp\\+x?u?0*07' │ 'view'/)
  expect(await run(gateway, 'context', 'account:nobody')).toEqual({ code: 0, text: 'account:nobody is not active.\n' })
  const json = JSON.parse((await run(gateway, 'context', 'session:s-\u202e1', '--json')).text) as { data: object }
  expect(json).toMatchObject({ data: { recent_products: [{ product_id: 'lamp\u0007' }] }, meta: { is_partial: false } })
})

test('merge gives a session to an account once, and names the account that has it', async ({ gateway }) => {
  const merged = await run(gateway, 'merge', 'session:order:7', 'account:cleo')
  expect(merged).toEqual({ code: 0, text: expect.stringMatching(/^session:order:7 belongs to account:cleo since \d{4}-.*\.\n$/) })
  expect(await run(gateway, 'merge', 'session:order:7', 'account:cleo')).toEqual(merged)
  expect(await run(gateway, 'merge', 'session:order:7', 'account:bob')).toEqual({
    code: 1,
    text: 'The session belongs to account:cleo already.\n',
  })
  expect(JSON.parse((await run(gateway, 'merge', 'session:order:7', 'account:cleo', '--json')).text)).toMatchObject({
    session_id: 'order:7',
    account_id: 'cleo',
  })
})

test('export writes a new file that only its owner may read, and stdout has the same lines', async ({ db, gateway }) => {
  const file = join(folder, 'dana.jsonl')
  await record(db, gateway, { account_id: 'dana-scully', metadata: { note: 'for\u202ever\n木' } })
  expect(await run(gateway, 'export', 'account:dana-scully', file)).toEqual({ code: 0, text: `Wrote 3 rows to ${file}.\n` })
  expect(statSync(file).mode & 0o777).toBe(0o600)
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
  const tableOf = (line: string) => (JSON.parse(line) as { table: string }).table
  expect(lines.map(tableOf)).toEqual(['shopper_product', 'shopper_recent', 'interaction'])
  const { code, output } = await runCommandProcess(['export', 'account:dana-scully', '--gateway', gateway.url], {})
  expect(code).toBe(0)
  expect(output).not.toContain('\u202e')
  const parsed = (all: readonly string[]) => all.map((line) => JSON.parse(line) as unknown)
  expect(parsed(output.trimEnd().split('\n'))).toEqual(parsed(lines))
  const again = await run(gateway, 'export', 'account:dana-scully', file)
  expect(again).toEqual({ code: 1, text: expect.stringContaining(`${file} cannot be made: EEXIST`) })
  expect(readFileSync(file, 'utf8').trimEnd().split('\n')).toEqual(lines)
  const empty = join(folder, 'nobody.jsonl')
  expect((await run(gateway, 'export', 'account:nobody', empty)).text).toBe(`Wrote 0 rows to ${empty}.\n`)
})

test('an export that is cut off leaves no file', async () => {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/x-ndjson' })
    response.write('{"table":"interaction","row":{}}\n', () => response.destroy())
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => void server.once('listening', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const file = join(folder, 'cut.jsonl')
  try {
    expect(await run({ url }, 'export', 'account:dana', file)).toEqual({ code: 1, text: 'The export was cut off: ask again.\n' })
    expect(existsSync(file)).toBe(false)
    expect(await run({ url }, 'context', 'account:dana')).toMatchObject({ code: 1 })
  } finally {
    server.closeAllConnections()
    server.close()
  }
})

test('erase prints the certificate, and --json the run', { timeout: 60_000 }, async ({ db, gateway }) => {
  await record(db, gateway, { account_id: 'dana-scully' })
  await record(db, gateway, { session_id: 'tab: of dana/1%' })
  expect((await run(gateway, 'merge', 'session:tab: of dana/1%', 'account:dana-scully')).code).toBe(0)
  const { code, text } = await run(gateway, 'erase', 'session:tab: of dana/1%', '--yes')
  expect(code).toBe(0)
  expect(text).toMatch(/^Erased up to \d{4}-.*Z by run [0-9a-f-]{36}\.\n/)
  expect(text).toMatch(/│ interaction +│ 2 /)
  const [, sha256] = /^SHA-256 ([0-9a-f]{64})$/m.exec(text)!
  const { rows } = await sql<{ sha256: string }>`
    select metadata->>'sha256' as sha256 from audit_entry where action = 'erasure.complete'`.execute(db)
  expect(rows).toEqual([{ sha256 }])
  expect(await rowsWith(db, ['dana-scully', 'of dana'])).toEqual([])
  expect((await verify(db)).drift).toEqual([])
  expect((await run(gateway, 'context', 'account:dana-scully')).text).toBe('account:dana-scully is not active.\n')
  const again = JSON.parse((await run(gateway, 'erase', 'account:dana-scully', '--yes', '--json')).text) as ErasureRun
  const { id, certificate } = again
  expect(certificate!.sha256).toHaveLength(64)
  expect(JSON.parse(certifiedText(id, certificate!.erased_at, certificate!.tables))).toMatchObject({ run_id: id })
  const started = await run(gateway, 'erase', 'account:nobody-here', '--yes', '--no-wait')
  expect(started).toEqual({ code: 0, text: expect.stringMatching(/^Run [0-9a-f-]{36} is \w+, and continues by itself\.\n$/) })
  const open = async () => (await sql`select from erasure_run where finished_at is null`.execute(db)).rows.length
  expect(await until(async () => (await open()) === 0, 30_000)).toBe(true)
})

test('erase asks for the id, and does nothing for another answer', async ({ db, gateway }) => {
  const terminals = [process.stdin, process.stdout].map((stream) => Object.getOwnPropertyDescriptor(stream, 'isTTY'))
  for (const stream of [process.stdin, process.stdout])
    Object.defineProperty(stream, 'isTTY', { value: true, configurable: true })
  const runs = async () => (await sql`select from erasure_run`.execute(db)).rows.length
  try {
    const before = await runs()
    for (const answer of ['dana-scully', 'account:dana', '', 'yes', Symbol('cancelled')]) {
      typed.text = answer
      expect(await run(gateway, 'erase', 'account:dana-scully')).toEqual({ code: 0, text: 'Nothing was erased.\n' })
    }
    expect(typed.asked).toMatch(/^Erase account:dana-scully for good\? .* Type its id to confirm:$/)
    expect(await runs()).toBe(before)
    typed.text = 'account:dana-scully'
    expect(await run(gateway, 'erase', 'account:dana-scully')).toMatchObject({
      code: 0,
      text: expect.stringMatching(/^Erased up to/),
    })
    expect(await runs()).toBe(before + 1)
  } finally {
    for (const [n, stream] of [process.stdin, process.stdout].entries()) {
      if (terminals[n] === undefined) Reflect.deleteProperty(stream, 'isTTY')
      else Object.defineProperty(stream, 'isTTY', terminals[n])
    }
  }
})

const MISTAKES: [name: keyof typeof COMMANDS, args: string[], sentence: string, code?: number][] = [
  ['erase', ['account:ada'], 'Give --yes to do it without a terminal.'],
  ['erase', ['ada', '--yes'], 'It must be account:<account_id> or session:<session_id>'],
  ['erase', ['account:', '--yes'], 'It must be account:<account_id>'],
  ['erase', [], "missing required argument 'shopper'"],
  ['export', ['user:ada'], 'It must be account:<account_id> or session:<session_id>'],
  ['export', ['account:ada', '/no/such/folder/file'], 'cannot be made: ENOENT', 1],
  ['context', [`session:${'x'.repeat(201)}`], 'It must be account:<account_id> or session:<session_id>'],
  ['merge', ['account:ada', 'account:bob'], 'It must be session:<session_id>, e.g. session:s-1.'],
  ['merge', ['session:ada', 'session:bob'], 'It must be account:<account_id>, e.g. account:ada.'],
  ['merge', ['session:ada', 'cleo'], 'It must be account:<account_id>'],
  ['merge', ['session:ada'], "missing required argument 'account'"],
]

test('every mistake is reported with one sentence', async ({ gateway }) => {
  for (const [name, args, sentence, status = 2] of MISTAKES) {
    const { code, text } = await run(gateway, name, ...args)
    expect({ name, args, code, lines: text.trim().split('\n').length, text }).toEqual({
      ...{ name, args, code: status, lines: 1 },
      text: expect.stringContaining(sentence),
    })
  }
})

test('a gateway that is not there, and one that wants a key, are reported with what to do', async ({ db, gateway }) => {
  const away = { url: 'http://127.0.0.1:1' }
  for (const name of ['context', 'export'] as const) {
    expect(await run(away, name, 'account:ada')).toEqual({
      code: 1,
      text: expect.stringMatching(/^No gateway answers at http:\/\/127\.0\.0\.1:1 \(.+\): run npm start first, or give/),
    })
  }
  expect((await run(away, 'erase', 'account:ada', '--yes')).code).toBe(1)
  writeFileSync(join(folder, 'kept'), 'as it was')
  expect((await run(away, 'export', 'account:ada', join(folder, 'kept'))).code).toBe(1)
  expect(readFileSync(join(folder, 'kept'), 'utf8')).toBe('as it was')
  const made = { name: 'a reader', isPublishable: false, origins: [], sellerId: null, requestsPerMinute: null }
  const { text: reader } = await createApiKey(db, { ...made, scopes: ['read'] })
  const refused = /^The gateway at .* answered 40[13] \(.+\): give a key that may do this, by --key or FOOTFALL_KEY\.\n$/
  expect(await until(async () => (await run(gateway, 'context', 'account:ada')).code === 1, 30_000)).toBe(true)
  expect(await run(gateway, 'context', 'account:ada')).toEqual({ code: 1, text: expect.stringMatching(refused) })
  expect(await run(gateway, 'context', 'account:ada', '--key', reader)).toMatchObject({ code: 0 })
  for (const [name, ...args] of [['erase', '--yes'], ['export'], ['merge', 'account:ada']] as const) {
    const shopper = name === 'merge' ? 'session:s-1' : 'account:ada'
    const answer = await run(gateway, name, shopper, ...args, '--key', reader)
    expect(answer).toEqual({ code: 1, text: expect.stringMatching(refused) })
  }
  const { text: key } = await createApiKey(db, { ...made, name: 'the desk', scopes: ['manage'] })
  const options = ['account:ada', '--gateway', gateway.url]
  expect(await until(async () => (await runCommand(exportCommand(), options, { FOOTFALL_KEY: key })).code === 0, 30_000)).toBe(
    true,
  )
})
