import { expect, test } from 'vitest'
import { mapFile } from '../harness/items/mapped-files.ts'

const ORDER = {
  messageId: '0e3b1c1e-0000-4000-8000-000000000000',
  timestamp: '2026-03-01T12:00:00Z',
  userId: 'ada',
  properties: {
    coupon: { code: 'x' },
    products: [
      { product_id: 'lamp', price: 2, tags: ['a', 'b'] },
      { product_id: 'desk', price: 3, tags: [] },
    ],
  },
}
const PATHS = [
  'event_id=messageId',
  'occurred_at=timestamp',
  'account_id=userId',
  'ref_id=properties.products[].product_id',
  'metadata.price=properties.products[].price',
  'metadata.coupon=properties.coupon.code',
].flatMap((rule) => ['--map', rule])
const PURCHASE = ['--set', 'event_type=purchase']

test('a path with [] gives an item for each element, each with an id of its own', async () => {
  const { items } = await mapFile('a.jsonl', `${JSON.stringify(ORDER)}\n`, [...PATHS, ...PURCHASE])
  expect(items).toMatchObject([
    { event_id: ORDER.messageId, account_id: 'ada', ref_id: 'lamp', metadata: { price: 2, coupon: 'x' } },
    { event_id: expect.stringMatching(/-8.{3}-/), account_id: 'ada', ref_id: 'desk', metadata: { price: 3, coupon: 'x' } },
  ])
  const withoutIds = [...PATHS.slice(2), ...PURCHASE]
  const twice = await mapFile('a.jsonl', `${JSON.stringify(ORDER)}\n${JSON.stringify(ORDER)}\n`, withoutIds)
  expect(twice).toMatchObject({ items: [{ ref_id: 'lamp' }, { ref_id: 'desk' }], duplicates: 2 })
})

test('lists in lists, places in lists, and conditions on elements', async () => {
  const rules = [
    'occurred_at=timestamp',
    'account_id=userId',
    'ref_id=properties.products[].product_id',
    'session_id=properties.products[].tags[]',
    'metadata.first=properties.products[0].product_id',
  ].flatMap((rule) => ['--map', rule])
  const { items } = await mapFile('a.json', JSON.stringify([ORDER], null, 2), [
    ...rules,
    '--set',
    'event_type=view if properties.products[].price > 2',
    '--set',
    'event_type=cart',
  ])
  expect(items).toMatchObject([
    { ref_id: 'lamp', session_id: 'a', event_type: 'cart', metadata: { first: 'lamp' } },
    { ref_id: 'lamp', session_id: 'b', event_type: 'cart' },
    { ref_id: 'desk', event_type: 'view' },
  ])
})

test('an element can be named by a property', async () => {
  const params = [
    { key: 'page', value: { string_value: 'home' } },
    { key: 'ga_session_id', value: { int_value: '17' } },
  ]
  const rules = ['occurred_at=timestamp', 'ref_id=items[].id', 'session_id=params[key=ga_session_id].value.int_value'].flatMap(
    (rule) => ['--map', rule],
  )
  const events = [
    { timestamp: '2026-03-01Z', params, items: [{ id: 'lamp' }] },
    { timestamp: '2026-03-01Z', params: [], items: [{ id: 'desk' }] },
  ]
  const { items, refused } = await mapFile('a.json', JSON.stringify(events), [
    ...rules,
    '--set',
    'event_type=view if "params[key=page].value.string_value" = home',
  ])
  expect(items).toMatchObject([{ ref_id: 'lamp', session_id: '17', event_type: 'view' }])
  expect(refused).toHaveLength(1)
})

test('a record without the list has a row, and its refusal names the record', async () => {
  const { properties: _properties, ...view } = ORDER
  const rules = [...PATHS, '--map', 'ref_id=product', ...PURCHASE, '--allow-missing']
  const file = [
    { ...view, product: 'chair' },
    { ...ORDER, messageId: '0e3b1c1e-0000-4000-8000-000000000001', product: 'x', properties: { products: [] } },
    { ...ORDER, product: null, properties: { products: [{ price: 1 }, { product_id: 'lamp' }] } },
  ]
  const { items, refused } = await mapFile('a.json', JSON.stringify(file), rules)
  expect(items).toMatchObject([{ ref_id: 'chair' }, { ref_id: 'x' }, { ref_id: 'lamp' }])
  expect(refused).toEqual([{ line: 1, field: 'ref_id', reason: 'no rule gives ref_id a value' }])
})

test('a cell of CSV may be a text of JSON', async () => {
  const file = `time\tuser\titems\n2026-03-01\tada\t${JSON.stringify(ORDER.properties.products)}\n2026-03-01\tben\t[{\n`
  const { items, refused } = await mapFile('a.tsv', file, [
    ...['occurred_at=time', 'account_id=user', 'ref_id=items[].product_id'].flatMap((rule) => ['--map', rule]),
    ...PURCHASE,
  ])
  expect(items).toMatchObject([{ ref_id: 'lamp' }, { ref_id: 'desk' }])
  expect(refused).toMatchObject([{ line: 3, field: 'ref_id' }])
})

test.each([
  [['lamp'], 'is a list and not a text'],
  [{ id: 'lamp' }, 'is an object and not a text'],
  [[], 'is a list and not a text'],
])('%j is no id', async (product, reason) => {
  const { items, refused } = await mapFile('a.json', JSON.stringify([{ ...ORDER, product }]), [
    ...PATHS.slice(0, 6),
    '--map',
    'ref_id=product',
    ...PURCHASE,
  ])
  expect(items).toEqual([])
  expect(refused[0]).toMatchObject({ field: 'ref_id', reason: expect.stringContaining(reason) })
})

test('a list is no category and no name of a product', async () => {
  const { refused } = await mapFile(
    'a.json',
    JSON.stringify([
      { product_id: 1, name: 'A', category: ['x'] },
      { product_id: 2, name: { en: 'B' } },
    ]),
    ['--products'],
  )
  expect(refused.map(({ field }) => field)).toEqual(['category', 'name'])
})

test('a misspelt path is refused with the paths that there are', async () => {
  await expect(
    mapFile('a.json', JSON.stringify([ORDER]), [...PATHS.slice(0, 6), '--map', 'ref_id=properties.products[].sku', ...PURCHASE]),
  ).rejects.toThrow(
    'has no column "properties.products[].sku" (--allow-missing reads it as empty); it has "messageId", "properties", "timestamp", "userId", and in them "properties.coupon", "properties.coupon.code", "properties.products", "properties.products[]", "properties.products[].product_id"',
  )
})

test('long numbers in a text of JSON keep their digits', async () => {
  const rows = ['12345678901234567890', '12345678901234567891'].map((id) => `2026-03-01Z\tada\tview\t{"id":${id}}`)
  const { items } = await mapFile('a.tsv', ['time\tuser\tkind\tproduct', ...rows].join('\n'), [
    ...['occurred_at=time', 'account_id=user', 'event_type=kind', 'ref_id=product.id', 'metadata=product'].flatMap((rule) => [
      '--map',
      rule,
    ]),
  ])
  expect(items.map((item) => [item['ref_id'], item['metadata']])).toEqual([
    ['12345678901234567890', { id: '12345678901234567890' }],
    ['12345678901234567891', { id: '12345678901234567891' }],
  ])
})

test('metadata of CSV may be null', async () => {
  const { items } = await mapFile(
    'a.csv',
    'occurred_at;account_id;event_type;ref_id;metadata\n2026-03-01Z;ada;view;lamp;null\n2026-03-01Z;ben;view;lamp;{\n',
  )
  expect(items).toMatchObject([{ metadata: null }])
})

test('an object that is joined to a text is no id', async () => {
  const file = JSON.stringify([{ ...ORDER, product: { id: 'lamp' }, shop: 'de' }])
  const { refused } = await mapFile('a.json', file, [...PATHS.slice(0, 6), '--map', 'ref_id=product + shop', ...PURCHASE])
  expect(refused[0]).toMatchObject({ field: 'ref_id', reason: expect.stringContaining('is an object and not a text') })
})
