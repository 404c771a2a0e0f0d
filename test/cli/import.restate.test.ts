import { mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { sql } from 'kysely'
import { beforeEach, expect } from 'vitest'
import { INTERACTIONS } from '../../src/cli/import/mapping/interactions.ts'
import { products } from '../../src/cli/import/mapping/products.ts'
import { ruleOf, valueMapsOf } from '../../src/cli/import/mapping/rule.ts'
import type { ImportPlan } from '../../src/cli/import/plan.ts'
import { runImport } from '../../src/cli/import/run.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { runCommandProcess } from '../harness/programs/command-process.ts'
import type { Stack } from '../harness/servers/stack.ts'
import { restateTest as test } from '../harness/fixtures.ts'

const HEADER = 'time,kind,product,user,price'
const RULES = ['occurred_at=time', 'event_type=kind', 'ref_id=product', 'account_id=user', 'metadata.price=price']
const SILENT = { report: () => undefined, counting: () => undefined, stalled: () => undefined, stop: () => undefined }

let folder: string
/** Prefixes the products of a test, so that its rows are not duplicates of another test's. */
let product: string
let tests = 0

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'footfall-import-'))
  product = `p${++tests}-`
  return () => rm(folder, { recursive: true, force: true })
})

async function fileOf(name: string, content: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, name.endsWith('.gz') ? gzipSync(content) : content)
  return path
}

async function run(stack: Stack, paths: string[], changes: Partial<ImportPlan> = {}) {
  const plan: ImportPlan = {
    kind: INTERACTIONS,
    paths,
    form: {},
    rules: RULES.map((rule) => ruleOf('map', rule, INTERACTIONS)),
    values: valueMapsOf(['event_type:cart=add_to_cart'], INTERACTIONS),
    time: { offsetMinutes: 0 },
    mayMissColumns: false,
    ingressUrl: stack.ingressUrl,
    batchRows: 3,
    inFlightMax: 2,
    patienceMs: 30_000,
    rejectedPath: join(folder, 'rejected.jsonl'),
    ...changes,
  }
  const tallies = await runImport(plan, SILENT)
  return tallies.map(({ rows, accepted, duplicates, rejected }) => ({ rows, accepted, duplicates, rejected }))
}

async function rejected(): Promise<object[]> {
  const text = await readFile(join(folder, 'rejected.jsonl'), 'utf8').catch(() => '')
  return text === ''
    ? []
    : text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as object)
}

const line = (index: number) => `2026-03-01 12:00:0${index % 10} UTC,${index % 2 ? 'cart' : 'view'},${product}${index},u,2.5`
const lines = (count: number) => Array.from({ length: count }, (_each, index) => line(index))

test('importing again changes nothing, and a repeated row is one event and one duplicate', async ({ db, stack }) => {
  const one = await fileOf('one.csv', [HEADER, ...lines(8), line(3)].join('\n'))
  const other = await fileOf('other.csv.gz', [HEADER, line(5), line(8)].join('\r\n'))
  const first = await run(stack, [one, other])
  expect(first[0]).toMatchObject({ rows: 9, rejected: 0 })
  expect(first[1]).toMatchObject({ rows: 2, rejected: 0 })
  expect(first[0]!.accepted + first[1]!.accepted).toBe(9)
  expect(first[0]!.duplicates + first[1]!.duplicates).toBe(2)
  expect(await run(stack, [other, one], { batchRows: 2 })).toEqual([
    { rows: 2, accepted: 0, duplicates: 2, rejected: 0 },
    { rows: 9, accepted: 0, duplicates: 9, rejected: 0 },
  ])
  await stack.settled()
  const { rows } = await sql`
    select occurred_at, event_type, ref_id, account_id, metadata from interaction where ref_id like ${`${product}%`} order by ref_id limit 2`.execute(
    db,
  )
  expect(rows).toMatchObject([
    { event_type: 'view', ref_id: `${product}0`, account_id: 'u', metadata: { price: 2.5 } },
    { occurred_at: new Date('2026-03-01T12:00:01Z'), event_type: 'add_to_cart', ref_id: `${product}1` },
  ])
  expect(await rejected()).toEqual([])
})

test('JSON lines are imported as they are, with the fields they have', async ({ stack }) => {
  const event = { occurred_at: '2026-03-01T12:00:00Z', session_id: 's', event_type: 'view', ref_type: 'Category', ref_id: 'c' }
  const file = await fileOf(
    'events.ndjson.gz',
    [event, { ...event, metadata: { a: [1] } }].map((each) => JSON.stringify(each)).join('\n'),
  )
  expect(await run(stack, [file], { rules: [] })).toEqual([{ rows: 2, accepted: 2, duplicates: 0, rejected: 0 }])
})

test('rejected rows are named by line, whether the file, the rules or the server rejects them', async ({ stack }) => {
  const bad = [
    '2026-03-01 12:00:00,view,"open,u,1',
    'yesterday,view,p,u,1',
    '1999-01-01,view,p,u,1',
    '2026-03-01,view,p,,1',
    '2026-03-01,VIEW,p,u,1',
  ]
  const file = await fileOf('dirty.csv', [HEADER, line(0), ...bad, line(1)].join('\n'))
  expect(await run(stack, [file])).toEqual([{ rows: 7, accepted: 2, duplicates: 0, rejected: 5 }])
  const named = (await rejected()).toSorted((one, other) => (one as { line: number }).line - (other as { line: number }).line)
  expect(named).toEqual([
    { file, line: 3, field: null, reason: expect.stringContaining('quote'), row: bad[0] },
    { file, line: 4, field: 'occurred_at', reason: expect.stringContaining('is not a time'), row: expect.anything() },
    { file, line: 5, field: 'occurred_at', reason: 'is before 2000-01-01', row: expect.objectContaining({ time: '1999-01-01' }) },
    { file, line: 6, field: 'account_id', reason: 'no rule gives account_id or session_id a value', row: expect.anything() },
    { file, line: 7, field: 'event_type', reason: 'must be 1 to 64 of a-z, 0-9 and _', row: expect.anything() },
  ])
  await run(stack, [await fileOf('clean.csv', [HEADER, line(2)].join('\n'))])
  expect(await rejected()).toEqual([])
})

test('mistakes in files and rules are reported before anything is sent', async ({ db, stack }) => {
  const good = await fileOf('good.csv', [HEADER, line(0)].join('\n'))
  const bare = await fileOf('bare.csv', 'time,product\n2026-03-01,p\n')
  const damaged = join(folder, 'damaged.csv.gz')
  await writeFile(damaged, gzipSync(line(0)).fill(0xff, 10, 14))
  const zip = join(folder, 'zip.csv.gz')
  await writeFile(zip, 'PK\u0003\u0004')
  const misspelt = { rules: [ruleOf('map', 'ref_id=produkt', INTERACTIONS)] }
  await expect(run(stack, [good], misspelt)).rejects.toThrow(`${good} has no column "produkt"`)
  await expect(run(stack, [good, bare])).rejects.toThrow(`${bare} has no column "kind"`)
  await expect(run(stack, [bare], { rules: [ruleOf('map', 'ref_id=product', INTERACTIONS)] })).rejects.toThrow(
    'Nothing gives event_type',
  )
  await expect(run(stack, [good, join(folder, 'none.csv')])).rejects.toThrow('none.csv cannot be read: there is no such file')
  await expect(run(stack, [good, damaged])).rejects.toThrow(`${damaged} cannot be read: it is not a gzip file`)
  await expect(run(stack, [good, zip])).rejects.toThrow(`${zip} is a zip archive: unpack it`)
  await expect(run(stack, [good], { rejectedPath: good })).rejects.toThrow('is also a file to import')
  await expect(run(stack, [good], { ingressUrl: 'http://127.0.0.1:1' })).rejects.toThrow(
    'Restate does not answer at http://127.0.0.1:1',
  )
  const { rows } = await sql`select from interaction where ref_id like ${`${product}%`}`.execute(db)
  expect(rows).toEqual([])
})

test('truncated compressed data stops the import', async ({ stack }) => {
  const whole = gzipSync(
    [HEADER, ...Array.from({ length: 6_000 }, (_each, index) => `${line(index)}${Math.sin(index)}`)].join('\n'),
  )
  const path = join(folder, 'cut.csv.gz')
  await writeFile(path, whole.subarray(0, whole.length - 1_000))
  const failed = run(stack, [path], { batchRows: 1_000 })
  await expect(failed).rejects.toThrow(/The import stopped: .* ends in the middle .* running it again is safe/)
})

test('a batch that an overloaded ingress refuses is sent again until it is recorded', async ({ db, stack }) => {
  const proxy = await flakyProxy(stack.ingressUrl, 3)
  const file = await fileOf('flaky.csv', [HEADER, ...lines(9)].join('\n'))
  expect(await run(stack, [file], { ingressUrl: proxy.url })).toEqual([{ rows: 9, accepted: 9, duplicates: 0, rejected: 0 }])
  await proxy.close()
  await stack.settled()
  expect((await verify(db)).drift).toEqual([])
  const { rows } = await sql`select from interaction where ref_id like ${`${product}%`}`.execute(db)
  expect(rows).toHaveLength(9)
})

test('an import gives up after its patience, and says that it may be repeated', async ({ stack }) => {
  const proxy = await flakyProxy(stack.ingressUrl, Number.POSITIVE_INFINITY)
  const file = await fileOf('lost.csv', [HEADER, ...lines(9)].join('\n'))
  const failed = run(stack, [file], { ingressUrl: proxy.url, patienceMs: 500 })
  await expect(failed).rejects.toThrow(/The import stopped: Restate at .* 503.* running it again is safe/)
  await proxy.close()
})

test('the command ends with a status by what the servers did, and a dry run changes nothing', async ({ db, stack }) => {
  const header = 'occurred_at,account_id,event_type,ref_id'
  const good = await fileOf('good.csv', `${header}\n2026-03-01,u,view,${product}1\n`)
  const some = await fileOf('some.csv', `${header}\n2026-03-01,u,view,${product}1\n2026-03-01,u,VIEW,${product}1\n`)
  const bad = await fileOf('bad.csv', `${header}\n2026-03-01,u,VIEW,${product}2\n`)
  const statusOf = async (...args: string[]) => {
    const urls = { RESTATE_INGRESS_URL: stack.ingressUrl, RESTATE_ADMIN_URL: stack.adminUrl }
    return (await runCommandProcess(['import', ...args, '--rejected', join(folder, 'rejected.jsonl')], urls)).code
  }
  const recorded = async () => (await sql`select from interaction where ref_id like ${`${product}%`}`.execute(db)).rows.length
  const statuses = [0, 3, 4]
  for (const [index, file] of [good, some, bad].entries()) expect(await statusOf(file, '--dry-run')).toBe(statuses[index])
  expect([await recorded(), await rejected()]).toEqual([0, []])
  for (const [index, file] of [good, some, bad].entries()) expect(await statusOf(file)).toBe(statuses[index])
  expect([await statusOf(good), await recorded(), (await rejected()).length]).toEqual([0, 1, 0])
})

test('of two files of products the newer one wins, and bad rows are named', async ({ db, stack }) => {
  const kind = products({ priceDecimals: 2 })
  const asProducts = {
    kind,
    values: valueMapsOf([], kind),
    rules: [
      ...['product_id=sku', 'name=title', 'price=price'].map((rule) => ruleOf('map', rule, kind)),
      ruleOf('set', 'currency=EUR', kind),
    ],
  }
  const written = async (name: string, day: string, ...rows: string[]) => {
    const path = await fileOf(name, ['sku,title,price', ...rows].join('\n'))
    await utimes(path, new Date(day), new Date(day))
    return path
  }
  const old = await written(
    'old.csv',
    '2026-03-01',
    `${product}1,Lamp,19.9`,
    `${product}2,Desk,1`,
    `${product}2,Desk,1`,
    `${product}3,Chair,free`,
    ',x,1',
  )
  const late = await written('late.csv', '2026-03-02', `${product}1,Brass lamp,`, `${product}4,${'x'.repeat(1_001)},1`)
  expect(await run(stack, [late], asProducts)).toEqual([{ rows: 2, accepted: 1, duplicates: 0, rejected: 1 }])
  expect(await rejected()).toEqual([
    expect.objectContaining({ line: 3, field: 'name', reason: 'must have 1 to 1000 characters' }),
  ])
  expect(await run(stack, [old], asProducts)).toEqual([{ rows: 5, accepted: 1, duplicates: 2, rejected: 2 }])
  expect(await run(stack, [old, late], asProducts)).toMatchObject([
    { accepted: 0, duplicates: 3 },
    { accepted: 0, duplicates: 1 },
  ])
  const { rows } = await sql`
    select name, price, currency, status, updated_at from catalog.product where product_id like ${`${product}%`} order by product_id`.execute(
    db,
  )
  expect(rows).toEqual([
    { name: 'Brass lamp', price: null, currency: null, status: 'active', updated_at: new Date('2026-03-02') },
    { name: 'Desk', price: '100', currency: 'EUR', status: 'active', updated_at: new Date('2026-03-01') },
  ])
  const nameless = { ...asProducts, rules: [ruleOf('map', 'product_id=sku', kind)] }
  await expect(run(stack, [old], nameless)).rejects.toThrow('Nothing gives name')
})

/** A proxy of an ingress that answers 503 to the first calls, and forwards half of them nevertheless. */
async function flakyProxy(target: string, failures: number) {
  let failed = 0
  const pass = async (request: IncomingMessage, response: ServerResponse) => {
    const fails = request.url !== '/restate/health' && failed < failures && ++failed > 0
    const answer = fails && failed % 2 === 0 ? undefined : await fetch(`${target}${request.url}`, await initOf(request))
    const text = await answer?.text()
    response.writeHead(fails ? 503 : answer!.status, { 'content-type': 'application/json' }).end(fails ? '{}' : text)
  }
  const server = createServer((request, response) => void pass(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close }
}

async function initOf(request: IncomingMessage): Promise<RequestInit> {
  if (request.method !== 'POST') return {}
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  const headers = { 'content-type': 'application/json', 'idempotency-key': String(request.headers['idempotency-key']) }
  return { method: 'POST', body: Buffer.concat(chunks), headers }
}
