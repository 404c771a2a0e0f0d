import { expect, test, vi } from 'vitest'
import { createDynamoHistory } from '../../src/external/dynamo-history.ts'
import { dynamoProblem } from '../../src/external/dynamo-problem.ts'

const refused = (address: string) => Object.assign(new Error(`connect ECONNREFUSED ${address}`), { code: 'ECONNREFUSED' })

test.for<[string, unknown, string]>([
  ['a connection', refused('127.0.0.1:1'), 'ECONNREFUSED'],
  ['a connection to each address', new AggregateError([refused('::1'), refused('127.0.0.1')]), 'ECONNREFUSED'],
  ['an error around it', new Error('outer', { cause: refused('::1') }), 'ECONNREFUSED'],
  ['a sentence', new Error('Region is missing'), 'Region is missing'],
  ['a named error', Object.assign(new Error('took 3 s.\nmore'), { name: 'TimeoutError' }), 'TimeoutError: took 3 s'],
  [
    'an answer, whose message has parts of the request',
    Object.assign(new Error('The security token AKIA… is invalid'), { name: 'UnrecognizedClientException', $fault: 'client' }),
    'UnrecognizedClientException',
  ],
  ['an error without a message', new Error(''), 'Error'],
  ['no error', 'text', 'Error'],
])('the innermost reason is named: %s', ([, error, problem]) => {
  expect(dynamoProblem(error)).toBe(problem)
})

test.for([
  ['a refused connection', { region: 'eu-central-1', endpoint: 'http://127.0.0.1:1' }, 'ECONNREFUSED'],
  ['a missing region', { region: undefined, endpoint: 'http://127.0.0.1:1' }, 'Region is missing'],
] as const)('a history says why its table cannot be used: %s', async ([, place, problem]) => {
  for (const name of ['AWS_REGION', 'AWS_DEFAULT_REGION', 'AWS_PROFILE']) vi.stubEnv(name, undefined)
  for (const name of ['AWS_CONFIG_FILE', 'AWS_SHARED_CREDENTIALS_FILE']) vi.stubEnv(name, '/dev/null')
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) vi.stubEnv(name, 'test')
  const history = createDynamoHistory({ table: 'metrics', ...place })
  try {
    await expect(history.at('LOWSTOCK', Date.now())).rejects.toThrow(`the table metrics of DynamoDB cannot be used (${problem})`)
  } finally {
    history.close()
    vi.unstubAllEnvs()
  }
})
