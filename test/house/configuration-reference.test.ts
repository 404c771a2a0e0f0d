import { expect, test } from 'vitest'
import { readConfig } from '../../src/main/config/config.ts'
import { configurationPage } from '../../src/cli/reference/configuration.ts'

test('every setting has a meaning', () => {
  const rows = configurationPage()
    .split('\n')
    .filter((line) => line.startsWith('| `'))
  expect(rows.length).toBeGreaterThan(20)
  for (const row of rows) expect(row.split(' | ')[1]!.length).toBeGreaterThan(15)
})

test.each([
  ['GATEWAY_PORT', 'abc', 'must be a number'],
  ['GATEWAY_PORT', '1.5', 'must be a whole number'],
  ['FLUSHES_MAX', '0', 'must be at least 1'],
  ['GATEWAY_HOST', '', 'must not be empty'],
  ['PRIVACY_USER_AGENT', 'hide', 'must be keep, truncate or drop'],
  ['DATABASE_URL', 'mysql://me:secret@there/x', 'must be a URL such as postgres://user:password@host:5432/footfall'],
  ['SELLER_JWKS_URL', 'login.example/jwks', 'must be a URL such as https://login.example/.well-known/jwks.json'],
  ['OTEL_EXPORTER_OTLP_HEADERS', 'token', 'must be name=value, several with commas'],
])('%s=%s is refused with what it must be', (name, value, demand) => {
  expect(() => readConfig({ [name]: value })).toThrow(`Change these environment variables: ${name} ${demand}.`)
})
