import { type ChildProcess, spawn } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { signatureOf } from '../../src/external/webhook-signature.ts'
import { createWebhookSender } from '../../src/external/webhook-sender.ts'
import { freePorts, isListening } from '../../src/main/embedded/ports.ts'
import { stopProcess } from '../../src/main/embedded/process.ts'
import { until } from '../../src/main/embedded/until.ts'
import { BLOCKS } from '../harness/programs/docs.ts'
import { makeDataFolder } from '../harness/servers/data-folder.ts'

const SECRETS = ['the-secret-before', 'the-newer-secret']
const folder = makeDataFolder('documented-receiver')
let receiver: ChildProcess
let url: string
let printed = ''
beforeAll(async () => {
  const block = BLOCKS.find(({ page, language }) => page === 'docs/alerts.md' && language === 'js')!
  await writeFile(join(folder, 'receiver.mjs'), block.text)
  const [port] = (await freePorts(1)) as [number]
  url = `http://127.0.0.1:${port}/`
  const env = { PATH: process.env['PATH'], PORT: String(port), ALERT_SECRETS: SECRETS.join(',') }
  receiver = spawn(process.execPath, ['receiver.mjs'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] })
  receiver.stdout!.on('data', (chunk: Buffer) => (printed += chunk.toString()))
  await until(() => isListening(url), 20_000)
})
afterAll(async () => {
  await stopProcess(receiver, 'SIGTERM')
  await rm(folder, { recursive: true, force: true })
})

const send = createWebhookSender({ allowsPrivate: true })
const hook = (deliveryId: string, name: string) => {
  const body = JSON.stringify({ delivery_id: deliveryId, alert_id: 'a', kind: 'low_stock', facts: { name } })
  return { url, deliveryId, body, secrets: SECRETS }
}

test('the receiver of docs/alerts.md takes deliveries of each of its secrets, and works on each once', async () => {
  for (const [n, secret] of SECRETS.entries()) {
    expect(await send({ ...hook(`d-${n}`, 'Lämp'), secrets: [secret] })).toEqual({ status: 204 })
  }
  expect(await send(hook('d-1', 'Lämp'))).toEqual({ status: 204 })
  expect(await send({ ...hook('d-2', 'Desk'), secrets: ['another', SECRETS[0]!] })).toEqual({ status: 204 })
  await until(async () => printed.includes('Desk'), 5_000)
  expect(printed.match(/low_stock/g)).toHaveLength(3)
})

test('the receiver of docs/alerts.md refuses what is not signed, and a signature that is old', async () => {
  const before = printed
  expect(await send({ ...hook('d-3', 'x'), secrets: ['another'] })).toMatchObject({ status: 401 })
  const { body } = hook('d-4', 'x')
  const nowMs = Date.now()
  for (const header of [
    undefined,
    '',
    'v1',
    't=1,v1=',
    `t=${Math.floor(nowMs / 1_000)},v1=${'é'.repeat(64)}`,
    signatureOf(`${body} `, SECRETS, nowMs),
    signatureOf(body, SECRETS, nowMs - 301_000),
    signatureOf(body, SECRETS, nowMs + 310_000),
  ]) {
    const headers = header === undefined ? {} : { 'x-signature': Buffer.from(header).toString('latin1') }
    const { status } = await fetch(url, { method: 'POST', headers, body })
    expect({ header, status }).toEqual({ header, status: 401 })
  }
  expect(printed).toBe(before)
})
