import { expect, test } from 'vitest'
import { readConfig } from '../../src/main/config/config.ts'
import { dynamoPlaceOf } from '../../src/main/config/metrics-store.ts'

const placeOf = (METRICS_STORE?: string) => dynamoPlaceOf(readConfig(METRICS_STORE === undefined ? {} : { METRICS_STORE }))

test.each([
  [undefined, undefined],
  ['postgresql', undefined],
  ['dynamodb://My_table.1', { table: 'My_table.1', region: undefined, endpoint: undefined }],
  [
    'dynamodb://metrics?region=eu-central-1&endpoint=http://127.0.0.1:8000',
    { table: 'metrics', region: 'eu-central-1', endpoint: 'http://127.0.0.1:8000' },
  ],
])('METRICS_STORE=%s is %o', (store, place) => {
  expect(placeOf(store)).toEqual(place)
})

test.each([
  'dynamodb',
  'dynamodb://',
  'dynamodb://ab',
  'dynamodb://a table',
  'dynamodb://table/path',
  'dynamodb://table:8000',
  'dynamodb://user@table',
  'dynamodb://table?regoin=eu-central-1',
  'dynamodb://table?endpoint=127.0.0.1:8000',
  'dynamodb://table#part',
  's3://table',
])('METRICS_STORE=%s is refused', (store) => {
  expect(() => placeOf(store)).toThrow(
    /METRICS_STORE must be postgresql, or an address such as dynamodb:.*, whose table has 3 to 255 of A-Z, a-z, 0-9/,
  )
})
