import fc from 'fast-check'
import { expect, test } from 'vitest'
import { toUtcIn } from '../../src/cli/import/values/time-zone.ts'
import { mapFile } from '../harness/items/mapped-files.ts'

const HEADER = 'time,user,item,kind'
const MAPPED = ['occurred_at=time', 'account_id=user', 'ref_id=item', 'event_type=kind'].flatMap((rule) => ['--map', rule])

/** The time of a row, or the reason for which it is refused. */
async function timeOf(time: string, options: string[] = []): Promise<unknown> {
  const { items, refused } = await mapFile('a.csv', `time\tuser\titem\tkind\n${time}\tada\tlamp\tview\n`, [...MAPPED, ...options])
  return items[0]?.['occurred_at'] ?? refused[0]?.reason
}

const DMY = ['--time-format', 'dmy']
const MDY = ['--time-format', 'mdy']
const EXCEL = ['--time-format', 'excel']
const BERLIN = ['--time-zone', 'Europe/Berlin']

test.each<[string, string[], string]>([
  ['31.12.2026 14:05', DMY, '2026-12-31T14:05:00.000Z'],
  ['31.12.26', DMY, '2026-12-31T00:00:00.000Z'],
  ['1.3.2026, 9:05:07', DMY, '2026-03-01T09:05:07.000Z'],
  ['31/12/2026 2:05 PM', DMY, '2026-12-31T14:05:00.000Z'],
  ['31-12-2026T14:05:06.789+01:00', DMY, '2026-12-31T13:05:06.789Z'],
  ['2026-12-31 14:05:00', DMY, '2026-12-31T14:05:00.000Z'],
  ['12/1/2010 8:26', MDY, '2010-12-01T08:26:00.000Z'],
  ['12/31/2026 12:00 AM', MDY, '2026-12-31T00:00:00.000Z'],
  ['12/31/2026 12:30:15 p.m.', MDY, '2026-12-31T12:30:15.000Z'],
  ['12-31-26 23:59', MDY, '2026-12-31T23:59:00.000Z'],
  ['2026-03-01T10:15:00.5+01:00[Europe/Berlin]', [], '2026-03-01T09:15:00.500Z'],
  ['2026-03-01 10:15:00.123456789 +0100 CET', [], '2026-03-01T09:15:00.123Z'],
  ['2026-03-01 10:15:00 -0300 -03', [], '2026-03-01T13:15:00.000Z'],
  ['2026/3/1 7:05', [], '2026-03-01T07:05:00.000Z'],
  ['2026.03.01', [], '2026-03-01T00:00:00.000Z'],
  ['20260301', [], '2026-03-01T00:00:00.000Z'],
  ['20260301T101500Z', [], '2026-03-01T10:15:00.000Z'],
  ['20260301T101500+0100', [], '2026-03-01T09:15:00.000Z'],
  ['20260301101500', [], '2026-03-01T10:15:00.000Z'],
  ['202603011015', [], '2026-03-01T10:15:00.000Z'],
  ['Sun, 01 Mar 2026 10:15:00 +0100', [], '2026-03-01T09:15:00.000Z'],
  ['1 Mar 2026 10:15:00 GMT', [], '2026-03-01T10:15:00.000Z'],
  ['Sun, 1 Mar 26 10:15 EST', [], '2026-03-01T15:15:00.000Z'],
  ['01-MAR-26', [], '2026-03-01T00:00:00.000Z'],
  ['01-Mar-2026 10:15:30.5', [], '2026-03-01T10:15:30.500Z'],
  ['01-MAR-26 10.15.30.250000 AM', [], '2026-03-01T10:15:30.250Z'],
  ['31.12.2026 14.05', DMY, '2026-12-31T14:05:00.000Z'],
  ['20260301 101500', [], '2026-03-01T10:15:00.000Z'],
  ['20260301 10:15', BERLIN, '2026-03-01T09:15:00.000Z'],
  ['1 September 2026', [], '2026-09-01T00:00:00.000Z'],
  ['Sept. 1, 2026', [], '2026-09-01T00:00:00.000Z'],
  ['01/Mar/2026:10:15:00 -0700', [], '2026-03-01T17:15:00.000Z'],
  ['March 1, 2026 2:30 PM', [], '2026-03-01T14:30:00.000Z'],
  ['Mar 1st, 2026 at 2:30pm', [], '2026-03-01T14:30:00.000Z'],
  ['Sun Mar 01 2026 10:15:00 GMT+0100 (Central European Standard Time)', [], '2026-03-01T09:15:00.000Z'],
  ['Sun Mar  1 10:15:00 UTC 2026', [], '2026-03-01T10:15:00.000Z'],
  ['1772360100', [], '2026-03-01T10:15:00.000Z'],
  ['1772360100.25', [], '2026-03-01T10:15:00.250Z'],
  ['1772360100123', [], '2026-03-01T10:15:00.123Z'],
  ['1772360100123456', [], '2026-03-01T10:15:00.123Z'],
  ['1772360100123456789', [], '2026-03-01T10:15:00.123Z'],
  ['1772360100123456', ['--time-unit', 'us'], '2026-03-01T10:15:00.123Z'],
  ['46082.427083333', EXCEL, '2026-03-01T10:15:00.000Z'],
  ['46082', EXCEL, '2026-03-01T00:00:00.000Z'],
  ['46082,4375', EXCEL, '2026-03-01T10:30:00.000Z'],
  ['2026-03-01 10:15:00', EXCEL, '2026-03-01T10:15:00.000Z'],
  ['2026-03-01 10:15:00', BERLIN, '2026-03-01T09:15:00.000Z'],
  ['01.07.2026 10:15', [...DMY, ...BERLIN], '2026-07-01T08:15:00.000Z'],
  ['46204.4375', [...EXCEL, ...BERLIN], '2026-07-01T08:30:00.000Z'],
  ['2026-07-01 10:15:00Z', BERLIN, '2026-07-01T10:15:00.000Z'],
  ['2026-03-29 01:59:59', BERLIN, '2026-03-29T00:59:59.000Z'],
  ['2026-03-29 02:30:00', BERLIN, '2026-03-29T01:30:00.000Z'],
  ['2026-03-29 03:00:00', BERLIN, '2026-03-29T01:00:00.000Z'],
  ['2026-10-25 01:59:59', BERLIN, '2026-10-24T23:59:59.000Z'],
  ['2026-10-25 02:30:00', BERLIN, '2026-10-25T00:30:00.000Z'],
  ['2026-10-25 03:00:00', BERLIN, '2026-10-25T02:00:00.000Z'],
  ['2026-03-08 02:30:00', ['--time-zone', 'America/New_York'], '2026-03-08T07:30:00.000Z'],
  ['2026-04-05 01:45:00', ['--time-zone', 'Australia/Lord_Howe'], '2026-04-04T14:45:00.000Z'],
  ['2011-12-30 12:00:00', ['--time-zone', 'Pacific/Apia'], '2011-12-30T22:00:00.000Z'],
  ['2026-03-01 10:15:00', ['--utc-offset', '+05:30'], '2026-03-01T04:45:00.000Z'],
])('%s with %s is %s', async (text, options, instant) => {
  expect(await timeOf(text, options)).toBe(instant)
})

test.each<[string, string[], string]>([
  ['03/04/2026', [], 'is not a time (give --time-format dmy if its day is first, mdy if its month is first)'],
  ['31.12.2026 14:05', [], 'is not a time (give --time-format dmy if its day is first, mdy if its month is first)'],
  ['31.12.2026', MDY, 'is not a time in the order mdy'],
  ['12/31/2026', DMY, 'is not a time in the order dmy'],
  ['30.02.2026', DMY, 'is not a time in the order dmy'],
  ['1.3.2026 13:00 PM', DMY, 'is not a time in the order dmy'],
  ['46082.5', [], 'is not a time (give --time-format excel for days of a spreadsheet, or --time-unit for a time since 1970)'],
  ['0', [], 'is not a time (give --time-format excel'],
  ['20261301', [], 'is not a time (give'],
  ['31 Feb 2026', [], 'is not a time'],
  ['yesterday', DMY, 'is not a time'],
  ['1 marraskuu 2026', [], 'is not a time'],
  ['1. Januar 2026', [], 'is not a time'],
  ['Sun, 01 Mar 2026 10:15:00 +9900', [], 'is not a time'],
  ['01 Mar 2026 10:15:00 +0060', [], 'is not a time'],
  ['0099-03-01', [], 'is not a time'],
  ['31.12.2026 14.05:30', DMY, 'is not a time'],
  ['60', EXCEL, 'is not a time (the days of a spreadsheet count from 1900, and those before 25569 are before 1970)'],
  ['2026-03-01 10:15 CEST', [], 'is not a time'],
  ['1772360100', ['--time-unit', 'ns'], '1970'],
])('%s with %s is refused', async (text, options, reason) => {
  const time = await timeOf(text, options)
  if (reason === '1970') expect(time).toMatch(/^1970/)
  else expect(time).toContain(`${JSON.stringify(text)} ${reason}`)
})

test('the sizes of numbers and times without a zone are told', async () => {
  const rows = ['1772360100', '1772360100123', '1772360101123', '2026-03-01 10:15'].map((time) => `${time},ada,lamp,view`)
  const { warnings } = await mapFile('a.csv', [HEADER, ...rows].join('\n'), MAPPED)
  expect(warnings).toEqual([
    '1 time was read as seconds since 1970, by the size of the numbers (--time-unit overrides).',
    '2 times were read as milliseconds since 1970, by the size of the numbers (--time-unit overrides).',
    '1 time was read as UTC, because no zone is written (--time-zone Europe/Berlin reads local times).',
  ])
  expect((await mapFile('a.csv', [HEADER, rows[3]].join('\n'), [...MAPPED, ...BERLIN])).warnings).toEqual([])
})

test('a date and a time in two columns are joined, and a name with a plus is written in quotes', async () => {
  const file = 'Datum;Uhrzeit;Kunde;A + B\n01.03.2026;10:15;ada;lamp\n02.03.2026;;ben;desk\n;;cleo;desk\n'
  const rules = ['occurred_at=Datum + Uhrzeit', 'account_id=Kunde', 'ref_id="A + B"'].flatMap((rule) => ['--map', rule])
  const { items, refused } = await mapFile('a.csv', file, [...rules, '--set', 'event_type=view', ...DMY, ...BERLIN])
  expect(items).toMatchObject([
    { occurred_at: '2026-03-01T09:15:00.000Z', ref_id: 'lamp' },
    { occurred_at: '2026-03-01T23:00:00.000Z', ref_id: 'desk' },
  ])
  expect(refused).toEqual([{ line: 4, field: 'occurred_at', reason: 'no rule gives occurred_at or event_id a value' }])
  await expect(
    mapFile('a.csv', file, ['--map', 'occurred_at=Datum + Zeit', ...rules.slice(2), '--set', 'event_type=view']),
  ).rejects.toThrow('has no column "Zeit"')
})

test('every local time of a zone is read as the first instant at which its clock shows it', () => {
  const zones = [
    'Europe/Berlin',
    'America/St_Johns',
    'Australia/Lord_Howe',
    'Pacific/Apia',
    'Africa/Casablanca',
    'Asia/Kathmandu',
    'UTC',
  ]
  const clocks = new Map(
    zones.map((timeZone) => [timeZone, new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' })]),
  )
  const readers = new Map(zones.map((zone) => [zone, toUtcIn(zone)]))
  const minutes = fc.integer({ min: Date.UTC(2000) / 60_000, max: Date.UTC(2037) / 60_000 })
  // Near a change of the clocks more often than chance gives.
  const nearChange = fc.tuple(
    fc.constantFrom(
      '2026-03-29T01:00Z',
      '2026-10-25T01:00Z',
      '2026-04-04T15:00Z',
      '2026-10-03T15:30Z',
      '2026-11-01T04:30Z',
      '2011-12-30T10:00Z',
    ),
    fc.integer({ min: -240, max: 240 }),
  )
  const instant = fc
    .oneof(
      minutes,
      nearChange.map(([change, minutes]) => Date.parse(change) / 60_000 + minutes),
    )
    .map((minutes) => minutes * 60_000)
  fc.assert(
    fc.property(fc.constantFrom(...zones), instant, (zone, instant) => {
      const shown = (ms: number) => clocks.get(zone)!.format(ms)
      const localMs = Date.parse(`${shown(instant).replace(' ', 'T')}Z`)
      const read = readers.get(zone)!(localMs)
      expect(shown(read)).toBe(shown(instant))
      expect(read).toBeLessThanOrEqual(instant)
      for (const earlier of [30, 60].map((minutes) => read - minutes * 60_000)) expect(shown(earlier)).not.toBe(shown(instant))
    }),
    { numRuns: 500 },
  )
})

test('a zone that does not exist and two options for a zone are refused', async () => {
  await expect(timeOf('2026-03-01', ['--time-zone', 'Berlin'])).rejects.toThrow(
    '--time-zone Berlin: a time zone is UTC or a name such as Europe/Berlin.',
  )
  await expect(timeOf('2026-03-01', [...BERLIN, '--utc-offset', '+01:00'])).rejects.toThrow('cannot be used with')
})
