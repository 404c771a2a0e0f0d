import { readdir } from 'node:fs/promises'
import { expect } from 'vitest'
import type { AboutResponse } from '../../src/contract/about.ts'
import { readConfig } from '../../src/main/config/config.ts'
import { restateUiUrlOf } from '../../src/main/config/addresses.ts'
import { pgTest } from '../harness/fixtures.ts'
import { makeKey, makeKeys } from '../harness/items/keys.ts'
import { SETTINGS, startGateway } from '../harness/servers/gateway.ts'

const UI = 'http://127.0.0.1:9070/ui'

const test = pgTest.extend('gateway', { scope: 'file' }, async ({ database }, { onCleanup }) => {
  const settings = { ...SETTINGS, about: { version: '1.2.3', restateUiUrl: UI } }
  const gateway = await startGateway(database.url, { ingressUrl: 'http://127.0.0.1:1' }, { settings })
  onCleanup(gateway.stop)
  return gateway
})

function ask(url: string, key?: string): Promise<Response> {
  return fetch(`${url}/api/v1/about`, { headers: key === undefined ? {} : { authorization: `Bearer ${key}` } })
}

const aboutOf = async (answer: Response) => ((await answer.json()) as AboutResponse).data

test('the gateway says its version, its schema, and what the caller may do', async ({ db, gateway }) => {
  const newest = (await readdir('sql'))
    .filter((name) => name.endsWith('.sql'))
    .toSorted()
    .at(-1)!
  const facts = { version: '1.2.3', schema: Number(newest.slice(0, 4)) }
  const all = { name: null, scopes: ['ingest', 'read', 'manage'], seller_id: null }
  expect(await aboutOf(await ask(gateway.url))).toEqual({ ...facts, restate_ui_url: UI, caller: all })

  const operator = await makeKey(db, { name: 'operator', scopes: ['manage'] })
  const { text } = await makeKey(db, { name: 'shop 7', scopes: ['read'], sellerId: 'seller-7' })
  await expect.poll(async () => (await ask(gateway.url)).status).toBe(401)
  const caller = { name: 'operator', scopes: ['manage'], seller_id: null }
  expect(await aboutOf(await ask(gateway.url, operator.text))).toEqual({ ...facts, restate_ui_url: UI, caller })
  const seller = { name: 'shop 7', scopes: ['read'], seller_id: 'seller-7' }
  expect(await aboutOf(await ask(gateway.url, text))).toEqual({ ...facts, restate_ui_url: null, caller: seller })
})

test('a secret key with any scope is enough, and a publishable key is not', async ({ db, gateway }) => {
  const keys = await makeKeys(db)
  await expect.poll(async () => (await ask(gateway.url, keys.ingest)).status).toBe(200)
  for (const name of ['read', 'manage', 'seller'] as const) expect((await ask(gateway.url, keys[name])).status).toBe(200)
  expect((await ask(gateway.url, keys.shop)).status).toBe(403)
  expect((await ask(gateway.url, keys.revoked)).status).toBe(401)
})

const RESTATE = { RESTATE_INGRESS_URL: 'http://restate:8080' }
test.for([
  ['with the embedded Restate', { RESTATE_ADMIN_PORT: '9071' }, 'http://127.0.0.1:9071/ui'],
  [
    'by the first of its admin ports',
    { ...RESTATE, RESTATE_ADMIN_URL: 'http://restate:9070/r/,http://other:9070' },
    'http://restate:9070/r/ui',
  ],
  ['by its setting', { ...RESTATE, RESTATE_UI_URL: 'https://ui.example/' }, 'https://ui.example/'],
  ['where only the ingress is known', RESTATE, undefined],
] as const)("Restate's UI %s", ([_name, environment, url]) => {
  expect(restateUiUrlOf(readConfig({ ...environment }))).toBe(url)
})
