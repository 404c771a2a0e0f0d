import { expect, test } from 'vitest'
import { foreignPageProblem, isLoopback, isLoopbackHost, type Links } from '../../src/admission/loopback.ts'

const HOSTS = ['localhost', '127.0.0.1', '[::1]', 'localhost:3000', '127.0.0.1:1', '[::1]:65535']
const FOREIGN_HOSTS = [
  ...['', 'shop.example', 'localhost.', 'localhost.shop.example', '127.0.0.1.', '127.0.0.1.nip.io', '127.0.0.2', '0.0.0.0'],
  ...['evil@localhost', 'localhost:3000@evil', 'localhost/evil', 'localhost?evil', 'localhost#evil', 'localhost\\evil'],
  ...['localhost:', 'localhost:x', 'localhost:0', 'localhost:65536', 'localhost:+80', 'localhost:80:80', 'localhost: 80'],
  ...[
    ' localhost',
    'localhost ',
    'localhost\n',
    'localhost,localhost',
    '::1',
    '[::1',
    '[::ffff:127.0.0.1]',
    '2130706433',
    '127.1',
  ],
]

test.each(HOSTS)('%j is this machine', (host) => {
  expect([isLoopbackHost(host), isLoopback(`http://${host}`), isLoopback(`https://${host}`)]).toEqual([true, true, true])
  expect(problemOf({ host })).toBeUndefined()
})

test.each(FOREIGN_HOSTS)('%j is another machine', (host) => {
  expect([isLoopbackHost(host), isLoopback(`http://${host}`)]).toEqual([false, false])
  expect(problemOf({ host })).toMatch(/Host header/)
})

test.each([
  'null',
  '',
  'localhost',
  'file://localhost',
  'tauri://localhost',
  'http://localhost/',
  'http://localhost, http://localhost',
])('%j is no origin of this machine', (origin) => {
  expect(isLoopback(origin)).toBe(false)
  expect(problemOf({ origin })).toMatch(/web pages elsewhere/)
})

test('a request has one Host, and an address with an authority has this one too', () => {
  const ofTwo = ['Host', 'localhost', 'host', 'localhost']
  expect(foreignPageProblem({ ...head({}), rawHeaders: ofTwo }, 'followed')).toMatch(/Host header/)
  const problems = [
    'http://localhost:3000/x',
    '*',
    'http://shop.example/',
    'http://localhost@shop.example/',
    'shop.example:80',
  ].map((url) => foreignPageProblem({ ...head({}), url }, 'followed'))
  const wrongHost = expect.stringMatching(/Host header/)
  expect(problems).toEqual([undefined, undefined, wrongHost, wrongHost, wrongHost])
})

const NAVIGATION = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }

test.each<[Record<string, string>, string, Links, boolean]>([
  [{}, 'POST', 'refused', true],
  [{ 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors' }, 'POST', 'refused', true],
  [{ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' }, 'GET', 'followed', false],
  [NAVIGATION, 'GET', 'followed', true],
  [NAVIGATION, 'HEAD', 'followed', true],
  [NAVIGATION, 'POST', 'followed', false],
  [NAVIGATION, 'GET', 'refused', false],
  [{ ...NAVIGATION, 'sec-fetch-dest': 'iframe' }, 'GET', 'followed', false],
  [{ ...NAVIGATION, 'sec-fetch-site': 'none' }, 'GET', 'followed', true],
  [{ ...NAVIGATION, 'sec-fetch-site': 'none' }, 'GET', 'refused', false],
  [{ ...NAVIGATION, 'sec-fetch-site': 'none' }, 'POST', 'followed', false],
  [{ ...NAVIGATION, 'sec-fetch-site': 'same-site', 'sec-fetch-dest': 'iframe' }, 'POST', 'refused', true],
])('with %j, a %s where links are %s goes on: %s', (headers, method, links, goesOn) => {
  expect(foreignPageProblem({ ...head(headers), method }, links) === undefined).toBe(goesOn)
})

function head(headers: Record<string, string>) {
  const all = { host: 'localhost:3000', ...headers }
  return { method: 'GET', url: '/', headers: all, rawHeaders: Object.entries(all).flat() }
}

function problemOf(headers: Record<string, string>): string | undefined {
  return foreignPageProblem(head(headers), 'followed')
}
