import { expect, test } from 'vitest'
import { ErrorBody, ProblemBody } from '../../src/contract/error.ts'
import { acceptsProblems } from '../../src/gateway/http/problem.ts'
import { offlineGateway } from '../harness/servers/offline-gateway.ts'

test.each([
  ['application/problem+json', true],
  ['application/json, application/problem+json;q=0.9', true],
  ['Application/Problem+JSON; charset=utf-8', true],
  ['application/problem+json;q=0', false],
  ['application/problem+json; q=0.000', false],
  ['application/json', false],
  ['*/*', false],
  ['application/*', false],
  ['application/problem+xml', false],
  ['', false],
  [undefined, false],
])('a caller with Accept %j gets problems: %s', (accept, isProblem) => {
  expect(acceptsProblems(accept)).toBe(isProblem)
})

test.each([
  ['a wrong parameter', '/api/v1/products/popular?limit=0', 400, 'Bad Request'],
  ['an unknown address', '/nowhere', 404, 'Not Found'],
  ['an address that cannot be decoded', '/api/v1/catalog/products/%ff', 400, 'Bad Request'],
  ['a database that does not answer', '/api/v1/catalog/products/lamp', 503, 'Service Unavailable'],
])('%s is a problem with the same code, message and details as an error', async (_name, url, status, title) => {
  await using gateway = await offlineGateway()
  const plain = await gateway.app.inject({ url })
  const { error } = ErrorBody.parse(JSON.parse(plain.body))
  expect(plain.headers['content-type']).toMatch(/^application\/json\b/)
  const answer = await gateway.app.inject({ url, headers: { accept: 'application/problem+json' } })
  expect(answer.statusCode).toBe(status)
  expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8')
  const { code, message: detail, ...rest } = error
  const problem = JSON.parse(answer.body) as unknown
  expect(problem).toEqual({ type: 'about:blank', title, status, detail, code, ...rest })
  expect(ProblemBody.safeParse(problem).success).toBe(true)
  expect(answer.headers['retry-after']).toBe(plain.headers['retry-after'])
})

test('another method is a problem with Allow', async () => {
  await using gateway = await offlineGateway()
  const headers = { accept: 'application/problem+json' }
  const answer = await gateway.app.inject({ url: '/api/v1/search', method: 'PUT', headers })
  expect([answer.statusCode, answer.headers.allow, answer.headers['content-type']]).toEqual([
    405,
    'POST',
    'application/problem+json; charset=utf-8',
  ])
})

test('an answer that is no error is JSON, whatever is accepted', async () => {
  await using gateway = await offlineGateway()
  const answer = await gateway.app.inject({ url: '/health', headers: { accept: 'application/problem+json' } })
  expect(answer.statusCode).toBe(200)
  expect(answer.headers['content-type']).toMatch(/^application\/json\b/)
})
