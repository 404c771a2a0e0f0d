import { execFile } from 'node:child_process'
import { hash } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeCertificates } from '../harness/servers/certificates.ts'
import { makeDataFolder } from '../harness/servers/data-folder.ts'
import { NO_REDIS, startTestRedis, type TestRedis } from '../harness/servers/redis.ts'

const run = promisify(execFile)
const PROGRAM = join(import.meta.dirname, '..', 'harness', 'programs', 'live-events-process.ts')
const PASSWORD = 'a/b:c@d% é'
/** What docs/shoppers.md says that the user needs. */
const RIGHTS = ['~user:*', '+@read', '+@write', '+@scripting', '+@connection']

describe.skipIf(NO_REDIS !== undefined)('a Redis with TLS, a user and a password in a file', () => {
  const folder = makeDataFolder('redis-tls')
  let redis: TestRedis
  let caFile: string
  beforeAll(async () => {
    const { caFile: file, ...certificate } = await makeCertificates(folder, 'localhost')
    caFile = file
    await writeFile(join(folder, 'password'), `${PASSWORD}\n`)
    const acl = join(folder, 'users.acl')
    await writeFile(acl, `user default off\nuser footfall on #${hash('sha256', PASSWORD, 'hex')} ${RIGHTS.join(' ')}\n`)
    redis = await startTestRedis(['--aclfile', acl], certificate)
  })
  afterAll(async () => {
    await redis?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  /** What a process with these settings says. */
  async function said(settings: Record<string, string>): Promise<string> {
    const env = { PATH: process.env['PATH'], SHOPPER_STORE_PASSWORD_FILE: join(folder, 'password'), ...settings }
    const { stdout } = await run(process.execPath, [PROGRAM], { env })
    return stdout.trim()
  }

  const store = (user = 'footfall@') => `rediss://${user}localhost:${redis.port}`

  test('is used with the CA of NODE_EXTRA_CA_CERTS', async () => {
    expect(await said({ SHOPPER_STORE: store(), NODE_EXTRA_CA_CERTS: caFile })).toBe('kept a lamp')
  })

  test('is not used while its CA is unknown, or its name is another', async () => {
    expect(await said({ SHOPPER_STORE: store() })).toMatch(/certificate/)
    const address = store().replace('localhost', '127.0.0.1')
    expect(await said({ SHOPPER_STORE: address, NODE_EXTRA_CA_CERTS: caFile })).toMatch(/does not match|altnames/i)
  })

  test('refuses another user, and a client without TLS', async () => {
    expect(await said({ SHOPPER_STORE: store('another@'), NODE_EXTRA_CA_CERTS: caFile })).toMatch(/WRONGPASS/)
    const plain = store().replace('rediss:', 'redis:')
    expect(await said({ SHOPPER_STORE: plain, NODE_EXTRA_CA_CERTS: caFile })).toMatch(/Redis is not connected/)
  })
})
