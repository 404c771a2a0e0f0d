import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { HandlerDescriptor, ServiceDescriptor } from '@restatedev/restate-sdk-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isForOperators, OPERATOR_TOKEN_HEADER } from '../../src/contract/handler.ts'
import { SERVICE_APIS } from '../../src/contract/services.ts'
import { readConfig } from '../../src/main/config/config.ts'
import { operatorTokensOf } from '../../src/main/config/operator-token.ts'
import { StartError } from '../../src/main/config/start-error.ts'
import { ingressOf } from '../../src/main/ingress.ts'

const TOKEN = 'a'.repeat(32)

let folder: string
let file: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'footfall-operator-'))
  file = join(folder, 'token')
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function tokensIn(text: string): Promise<string[]> {
  await writeFile(file, text)
  return operatorTokensOf(readConfig({ OPERATOR_TOKEN_FILE: file }))
}

test('a file has one token, or two while it changes, and without a file there is none', async () => {
  expect(await tokensIn(`${TOKEN}\n`)).toEqual([TOKEN])
  expect(await tokensIn(`\n  ${TOKEN} \r\n\n${'b'.repeat(40)}\n`)).toEqual([TOKEN, 'b'.repeat(40)])
  expect(operatorTokensOf(readConfig({}))).toEqual([])
})

test('a file without a token, with three, or with a short or unsendable one is refused with a sentence', async () => {
  const amount = `OPERATOR_TOKEN_FILE is ${file}, which must have one or two secrets of at least 32 characters.`
  await expect(tokensIn(' \n')).rejects.toThrow(new StartError(`OPERATOR_TOKEN_FILE is ${file}, which is empty.`))
  for (const text of ['short', TOKEN.slice(1), `${TOKEN}\nshort`, `${TOKEN}\n${TOKEN}\n${TOKEN}`]) {
    await expect(tokensIn(text)).rejects.toThrow(new StartError(amount))
  }
  const unsendable = `OPERATOR_TOKEN_FILE is ${file}, which has a token with a character that no header may have.`
  for (const text of [`${TOKEN} b`, `${TOKEN}ü`]) await expect(tokensIn(text)).rejects.toThrow(new StartError(unsendable))
})

test('exactly the calls of handlers for operators carry the first token', async () => {
  await writeFile(file, `${TOKEN}\n${'b'.repeat(32)}`)
  /** The tokens of each handler's calls. */
  const carried: Record<string, unknown[]> = {}
  const server = createServer((request, response) => {
    const handler = request.url!.replace(/\/send$/, '').replace(/\/key(?=\/)/, '')
    ;(carried[handler] ??= []).push(request.headers[OPERATOR_TOKEN_HEADER])
    request.resume().once('end', () => response.setHeader('content-type', 'application/json').end('{}'))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const ingress = ingressOf(readConfig({ RESTATE_INGRESS_URL: `${url}/`, RESTATE_ADMIN_URL: url, OPERATOR_TOKEN_FILE: file }))
  const expected: Record<string, unknown[]> = {}
  for (const each of SERVICE_APIS) {
    const api = each as ServiceDescriptor<string, Record<string, HandlerDescriptor>>
    for (const [name, descriptor] of Object.entries(api._handlers)) {
      const json = Buffer.from('{}')
      // The answers have no fields, which the clients of some handlers mind.
      await Promise.allSettled([
        ingress.call(api, name, {}, { key: 'key' }),
        ingress.callWithJson(api, name, json, { key: 'key', signal: AbortSignal.timeout(10_000) }),
        ingress.read(api, name, {}, { key: 'key' }),
        ingress.send(api, name, {}, { key: 'key' }),
        ingress.sendWithJson(api, name, json, { key: 'key' }),
      ])
      expected[`/${api.name}/${name}`] = Array.from({ length: 5 }, () => (isForOperators(descriptor) ? TOKEN : undefined))
    }
  }
  server.close()
  expect(carried).toEqual(expected)
  expect(Object.values(carried).filter((tokens) => tokens.includes(TOKEN)).length).toBe(22)
})
