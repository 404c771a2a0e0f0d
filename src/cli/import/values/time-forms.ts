import { type TimeParts, type WallTime, wallTimeOf } from './wall-time.ts'

/** The order of day and month in dates whose year is last, e.g. 03/04/2026. */
export type DayOrder = 'dmy' | 'mdy'

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
/** Hours east of UTC of the names in RFC 2822, section 4.3. Other names are not unique. */
const ZONES: Readonly<Record<string, number>> = {
  z: 0,
  ut: 0,
  utc: 0,
  gmt: 0,
  edt: -4,
  est: -5,
  cdt: -5,
  cst: -6,
  mdt: -6,
  mst: -7,
  pdt: -7,
  pst: -8,
}

const WEEKDAY = String.raw`(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?`
/** In full or with three letters. A longer match would read the Finnish marraskuu, which is November, as March. */
const MONTH = String.raw`(?<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?`
/** Oracle and Italian programs write points in it. */
const CLOCK = String.raw`(?<hour>\d{1,2})(?<colon>[:.])(?<minute>\d\d)(?:\k<colon>(?<second>\d\d)(?:[.,](?<fraction>\d{1,9}))?)?(?:\s*(?<half>[ap])\.?m\.?)?`
const ZONE = String.raw`(?:(?<zone>ut|utc|gmt|z|[ecmp][sd]t)|(?:utc|gmt)?(?<sign>[+-])(?<hours>[01]\d|2[0-3])(?::?(?<minutes>[0-5]\d))?)(?:\s*\([^)]*\))?`
const TIME = String.raw`(?:(?:T|,?\s+(?:at\s+)?|:)${CLOCK}(?:\s*${ZONE})?)?`

const FORMS = [
  // 01.03.2026 10:15, 3/1/2026 10:15 AM, 2026/3/1
  String.raw`(?<first>\d{1,4})(?<separator>[./-])(?<middle>\d{1,2})\k<separator>(?<third>\d{1,4})${TIME}`,
  // 20260301, 20260301T101500Z, 20260301 101500, 20260301101500
  String.raw`(?<year>(?:19|20)\d\d)(?<month>\d\d)(?<day>\d\d)(?:[T ]?(?<hour>\d\d):?(?<minute>\d\d)(?::?(?<second>\d\d)(?:[.,]?(?<fraction>\d{1,9}))?)?(?:\s*${ZONE})?)?`,
  // Sun, 01 Mar 2026 10:15:00 +0100, 01-MAR-26, 01/Mar/2026:10:15:00 +0100
  String.raw`${WEEKDAY}(?<day>\d{1,2})[\s./-]+${MONTH}[\s./,-]+(?<year>\d{4}|\d\d)${TIME}`,
  // March 1, 2026 10:15, Sun Mar 01 2026 10:15:00 GMT+0100
  String.raw`${WEEKDAY}${MONTH}[\s-]+(?<day>\d{1,2})(?:st|nd|rd|th)?(?:,\s*|\s+|-)(?<year>\d{4})${TIME}`,
  // Sun Mar  1 10:15:00 UTC 2026
  String.raw`${WEEKDAY}${MONTH}\s+(?<day>\d{1,2})\s+${CLOCK}(?:\s*${ZONE})?\s+(?<year>\d{4})`,
].map((form) => new RegExp(`^${form}$`, 'i'))

/** Whether a text is a date whose year is last, so that it needs an order. */
export function needsOrder(text: string): boolean {
  const { first } = FORMS[0]!.exec(text)?.groups ?? {}
  return first !== undefined && first.length < 4
}

/** Reads the forms of times that are not RFC 3339; undefined for other texts. */
export function readForms(text: string, order: DayOrder | undefined): WallTime | undefined {
  for (const form of FORMS) {
    const groups = form.exec(text)?.groups
    if (groups === undefined) continue
    const date = 'first' in groups ? numericDate(groups, order) : namedDate(groups)
    return date && wallTimeOf({ ...groups, ...date, offsetMinutes: offsetOf(groups) })
  }
  return undefined
}

type Groups = Record<string, string | undefined>
type DateParts = Pick<TimeParts, 'year' | 'month' | 'day'>

function numericDate({ first, middle, third }: Groups, order: DayOrder | undefined): DateParts | undefined {
  if (first!.length === 4) return { year: first!, month: middle!, day: third! }
  if (order === undefined || first!.length > 2 || third!.length % 2 === 1) return undefined
  return order === 'dmy' ? { day: first!, month: middle!, year: third! } : { month: first!, day: middle!, year: third! }
}

function namedDate({ year, month, day }: Groups): DateParts {
  const index = MONTHS.indexOf(month!.slice(0, 3).toLowerCase())
  return { year: year!, month: index === -1 ? month! : index + 1, day: day! }
}

/** Minutes east of UTC; undefined when no zone is written. */
function offsetOf({ zone, sign, hours, minutes = '0' }: Groups): number | undefined {
  if (zone !== undefined) return ZONES[zone.toLowerCase()]! * 60
  if (sign === undefined) return undefined
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes))
}
