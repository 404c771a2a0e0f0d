import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Certificates, makeCertificates } from '../harness/servers/certificates.ts'
import { makeDataFolder } from '../harness/servers/data-folder.ts'
import { startWebhookReceiver, type WebhookReceiver } from '../harness/servers/webhook-receiver.ts'

const run = promisify(execFile)
const PROGRAM = join(import.meta.dirname, '..', 'harness', 'programs', 'webhook-process.ts')

const folder = makeDataFolder('webhook-tls')
let certificates: Certificates
let receiver: WebhookReceiver
beforeAll(async () => {
  certificates = await makeCertificates(folder, 'hooks.test')
  receiver = await startWebhookReceiver(certificates)
})
afterAll(async () => {
  await receiver?.stop()
  await rm(folder, { recursive: true, force: true })
})

/** What a process with these settings says about a webhook to the receiver under this name. */
async function sent(host: string, settings: Record<string, string> = {}): Promise<unknown> {
  const { stdout } = await run(process.execPath, [PROGRAM, `https://${host}:${receiver.port}/hook`], {
    env: { PATH: process.env['PATH'], ...settings },
  })
  return JSON.parse(stdout) as unknown
}
const failed = (code: RegExp) => ({ status: null, error: expect.stringMatching(code) as string })

test('a certificate of an unknown CA is refused, and nothing is sent', async () => {
  expect(await sent('hooks.test')).toEqual(failed(/^UNABLE_TO_VERIFY_LEAF_SIGNATURE/))
  expect(receiver.received).toEqual([])
})

test('a certificate of a CA of NODE_EXTRA_CA_CERTS is taken for its name, and for no other', async () => {
  const settings = { NODE_EXTRA_CA_CERTS: certificates.caFile }
  expect(await sent('hooks.test', settings)).toEqual({ status: 204 })
  expect(receiver.received[0]!.headers.host).toBe(`hooks.test:${receiver.port}`)
  expect(await sent('other.test', settings)).toEqual(failed(/^ERR_TLS_CERT_ALTNAME_INVALID/))
  expect(await sent('127.0.0.1', settings)).toEqual(failed(/^ERR_TLS_CERT_ALTNAME_INVALID/))
  expect(receiver.received).toHaveLength(1)
})
