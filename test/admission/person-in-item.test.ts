import { expect, test } from 'vitest'
import { hasWord, isAboutPerson, isKeptAboutPerson, personOf } from '../../src/admission/person-in-item.ts'

const ADA = personOf(['account:ada.lovelace', 'session:tab-of-ada', 'session:7'])
const ZOE = personOf(['account:zoë:Ł/1 2', 'session:order:4711-88'])

test('a shopper id is an account or a session, and may have colons', () => {
  expect(ZOE).toMatchObject({
    account: new Set(['zoë:Ł/1 2']),
    session: new Set(['order:4711-88']),
    any: new Set(['zoë:Ł/1 2', 'order:4711-88']),
  })
})

test.for<[name: string, item: unknown, isAbout: boolean]>([
  ['the account', { account_id: 'ada.lovelace' }, true],
  ['the account under its other name', { user_id: 'ada.lovelace' }, true],
  ['a session', { session_id: 'tab-of-ada' }, true],
  ['a short session, as a number', { session_id: 7 }, true],
  ['an account with the id of a session', { account_id: 7 }, false],
  ['an account that begins like it', { account_id: 'ada.lovelace.2' }, false],
  ['an account that ends like it', { account_id: 'not.ada.lovelace' }, false],
  ['an account that goes on with an @', { account_id: 'ada.lovelace@example.org' }, false],
  ['an entity with its kind', { entity_id: 'account:ada.lovelace' }, true],
  ['a product of the same id', { account_id: 'bob', ref_id: 'ada.lovelace' }, false],
  ['products of the same id', { items: [{ product_id: 'ada.lovelace', seller_id: 'tab-of-ada' }] }, false],
  ['a list of products', { product_ids: ['ada.lovelace'] }, false],
  ['a text with the id as a word', { note: 'bought by ada.lovelace.' }, true],
  ['a text with a longer word', { note: 'bought by ada.lovelace.2 and my.ada.lovelace' }, false],
  ['a field of another system', { Customer: { id: 'ada.lovelace' } }, true],
  ['an address', { url: 'https://shop.example/people/ada.lovelace/orders' }, true],
  ['the name of a field', { carts: { 'tab-of-ada': 2 } }, true],
  ['a short id in a field that names no person', { quantity: 7 }, false],
  ['a field that every object has', { constructor: 'bob', toString: 1 }, false],
])('%s', ([_name, item, isAbout]) => {
  expect(isAboutPerson(item, ADA)).toBe(isAbout)
  expect(isKeptAboutPerson(JSON.stringify(item), ADA)).toBe(isAbout)
})

test('an id is found in addresses and forms that write it with percents', () => {
  for (const text of [
    `https://shop.example/?u=${encodeURIComponent('zoë:Ł/1 2')}&n=1`,
    `u=${encodeURIComponent('zoë:Ł/1 2').toLowerCase()}`,
    `u=${new URLSearchParams({ u: 'zoë:Ł/1 2' }).toString()}`,
    'the order order%3A4711-88',
  ])
    expect([text, hasWord(text, ZOE)]).toEqual([text, true])
  for (const text of ['u=zo%C3%AB', '100 % of order:4711-889', '%E0%A4%A zoë:Ł/1', 'zoë:Ł/1 23'])
    expect([text, hasWord(text, ZOE)]).toEqual([text, false])
  const webhook = { form: 'base64', body: Buffer.from(`customer=${encodeURIComponent('zoë:Ł/1 2')}`).toString('base64') }
  expect(isKeptAboutPerson(JSON.stringify(webhook), ZOE)).toBe(true)
  expect(isKeptAboutPerson(JSON.stringify({ ...webhook, body: Buffer.from([0xff, 0xfe]).toString('base64') }), ZOE)).toBe(false)
})

test('JSON that was cut is searched by its fields', () => {
  expect(isKeptAboutPerson('{"account_id":"bob","session_id":"7","note":"and then', ADA)).toBe(true)
  expect(isKeptAboutPerson('{"session_id": 7 ,"note":"and then', ADA)).toBe(true)
  expect(isKeptAboutPerson('{"account_id":"7","ref_id":"tab-of","note":"and then', ADA)).toBe(false)
  expect(isKeptAboutPerson(String.raw`{"user_id":"ad\u0061.lovelace","note":"and then`, ADA)).toBe(true)
})
