import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Interaction } from '../../src/contract/interaction.ts'
import { truncateIp, truncateUserAgent, withPrivacy } from '../../src/admission/privacy.ts'

const TRUNCATE = { ipAddress: 'truncate', userAgent: 'truncate' } as const

test.each([
  ['203.0.113.77', '203.0.113.0'],
  ['255.255.255.255', '255.255.255.0'],
  ['2001:db8:1234:5678:9abc:def0:1234:5678', '2001:db8:1234::'],
  ['2001:DB8:1234:5678::1', '2001:db8:1234::'],
  ['2001:db8::1', '2001:db8:0::'],
  ['2001::5:6:7:8', '2001:0:0::'],
  ['::1', '0:0:0::'],
  ['::', '0:0:0::'],
  ['1:2:3:4:5:6:7::', '1:2:3::'],
  ['::2:3:4:5:6:7:8', '0:2:3::'],
  ['fe80::1:2:3:4%eth0', 'fe80:0:0::'],
  ['::ffff:203.0.113.77', '0:0:0::'],
  ['::ffff:cb00:714d', '0:0:0::'],
  ['64:ff9b::203.0.113.77', '64:ff9b:0::'],
  // 6to4: the second and third groups are an IPv4 address.
  ['2002:cb00:714d:1::1', '2002:cb00:7100::'],
])('the address %s is cut to its network %s', (address, network) => {
  expect(truncateIp(address)).toBe(network)
})

test.each([
  '',
  'x',
  '203.0.113',
  '203.0.113.77:80',
  '203.0.113.077',
  ' 203.0.113.77',
  '1::2::3',
  '203.0.113.77, 10.0.0.1',
  '::g',
])('%j is not an address, so it is withheld and rejected', (address) => {
  const kept = withPrivacy({ ...event, ip_address: address }, TRUNCATE)
  expect(JSON.stringify(kept)).not.toContain(address === '' ? '""' : address)
  expect(Interaction.safeParse(kept).error?.issues[0]?.path).toEqual(['ip_address'])
})

const event = { session_id: 's', event_type: 'view', ref_type: 'Product', ref_id: 'lamp' }

test.each([
  ['Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0', 'Mozilla/5 Gecko Firefox/130'],
  [
    'Mozilla/5.0 (Linux; Android 14; SM-S918B Build/UP1A.231005.007) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.6668.70 Mobile Safari/537.36',
    'Mozilla/5 AppleWebKit/537 Chrome/129 Mobile Safari/537',
  ],
  [
    'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/21F90 [FBAN/FBIOS;FBDV/iPhone14,7;FBSV/17.5.1;FBLC/de_DE]',
    'Mozilla/5 AppleWebKit/605 Mobile/21',
  ],
  ['Instagram 341.0.3.34.101 (iPhone14,7; iOS 17_5_1; de_DE; scale=3.00; 1170x2532; 622534432)', 'Instagram'],
  ['app (a (b (c) d) SM-S918B) Safari/1.2', 'app Safari/1'],
  ['app (not closed SM-S918B Safari/1.2', 'app'],
  ['app) Safari/1.2', 'app Safari/1'],
  ['python-requests/2.31.0', 'python-requests/2'],
  ['App/860123456789012 john.doe@shop.example iPhone14,7', 'App'],
  ['(everything is a comment)', 'unknown'],
  ['', 'unknown'],
])('the user agent %j is cut to %j', (text, kept) => {
  expect(truncateUserAgent(text)).toBe(kept)
})

describe('with every address and user agent', () => {
  test('no group of digits survives from the part that is cut off', () => {
    const byte = fc.integer({ min: 0, max: 255 })
    fc.assert(
      fc.property(fc.tuple(byte, byte, byte, byte), ([a, b, c, d]) => {
        expect(truncateIp(`${a}.${b}.${c}.${d}`)).toBe(`${a}.${b}.${c}.0`)
        expect(truncateIp(`::ffff:${a}.${b}.${c}.${d}`)).toBe('0:0:0::')
      }),
    )
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        expect(truncateIp(address)).toMatch(/^(?:[0-9a-f]{1,4}:){3}:$/)
      }),
    )
  })

  test('two addresses of one network become the same', () => {
    const group = fc.integer({ min: 0, max: 0xffff }).map((value) => value.toString(16))
    const groups = (count: number) => fc.array(group, { minLength: count, maxLength: count })
    fc.assert(
      fc.property(groups(3), groups(5), groups(5), (network, one, other) => {
        const whole = (rest: string[]) => [...network, ...rest].join(':')
        // As the URL standard writes it, with :: for zeros.
        const short = (rest: string[]) => new URL(`http://[${whole(rest)}]`).hostname.slice(1, -1)
        expect(truncateIp(whole(one))).toBe(truncateIp(short(other)))
      }),
    )
  })

  test('a comment, a minor version or a word with digits never survives', () => {
    const secret = fc.integer({ min: 10_000, max: 99_999 }).map(String)
    const product = fc.tuple(fc.constantFrom('Chrome', 'Safari', 'x'), fc.integer({ min: 0, max: 999 }))
    fc.assert(
      fc.property(secret, product, fc.integer({ min: 1, max: 6 }), (text, [name, major], depth) => {
        const comment = `${'(a '.repeat(depth)}${text}${' b)'.repeat(depth)}`
        const agent = `${name}/${major}.${text} ${comment} M-${text} ${name}/v${text} [FBDV/iPhone${text}] ${text}`
        expect(truncateUserAgent(agent)).toBe(`${name}/${major} ${name}`)
      }),
    )
  })

  test('truncating twice is the same as truncating once, and the result is valid', () => {
    const address = fc.oneof(fc.ipV4(), fc.ipV6())
    fc.assert(
      fc.property(address, fc.string({ unit: 'binary', maxLength: 60 }), (ip_address, user_agent) => {
        const once = withPrivacy({ ...event, ip_address, user_agent }, TRUNCATE)
        expect(withPrivacy(once, TRUNCATE)).toEqual(once)
        expect(Interaction.safeParse(once).success).toBe(true)
      }),
    )
  }, 30_000)
})

test('a field that is not a text is withheld, and rejected as without privacy', () => {
  for (const field of ['ip_address', 'user_agent'] as const) {
    for (const value of [7, null, {}, ['203.0.113.77'], true]) {
      const kept = withPrivacy({ ...event, [field]: value }, TRUNCATE)
      expect(JSON.stringify(kept)).not.toContain('203.0.113.77')
      expect(Interaction.safeParse(kept).error?.issues[0]?.path).toEqual([field])
    }
  }
})

test('an item without changes is returned as it is, and no item is modified', () => {
  const item = Object.freeze({ ...event, ip_address: '203.0.113.77', user_agent: 'a/1.2' })
  expect(withPrivacy(item, { ipAddress: 'keep', userAgent: 'keep' })).toBe(item)
  expect(withPrivacy(event, TRUNCATE)).toBe(event)
  expect(withPrivacy(item, { ipAddress: 'drop', userAgent: 'drop' })).toEqual(event)
  for (const other of [null, 7, 'x', [item]]) expect(withPrivacy(other, TRUNCATE)).toBe(other)
})
