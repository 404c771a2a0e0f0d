import {
  HISTORY_MAX,
  type Reasons,
  type Recommendation,
  type RecommendResponse,
  type ScoreShare,
} from '../../contract/recommendation.ts'
import { cutTo, spacesTo, widthOf } from '../terminal/cells.ts'
import { harmless } from '../terminal/harmless.ts'
import type { Line } from '../terminal/output.ts'

/** How products are called. */
export type NameOf = (productId: string) => string

const NAME_COLUMNS_MAX = 44
const DECIMALS = 9
/** Several shares that are smaller than this part of the score are one line. */
const SMALL_PART = 1_000

/** Recommendations as lines of a terminal, with the sum of each score where the answer has it. */
export function linesOf(shopper: string, { data, meta }: RecommendResponse, nameOf: NameOf): Line[] {
  const head: Line[] = [{ text: harmless(shopper), style: 'bold' }, { text: summaryOf(meta), style: 'dim' }, { text: '' }]
  if (data.length === 0) return [...head, { text: 'No product is left.' }]
  const names = data.map(({ product_id: id }) => cutTo(titleOf(id, nameOf), NAME_COLUMNS_MAX))
  const columns = Math.max(...names.map(widthOf))
  return [
    ...head,
    ...data.flatMap((product, at) => productLines(product, `${names[at]}${spacesTo(columns, names[at]!)}`, nameOf)),
  ]
}

function summaryOf(meta: RecommendResponse['meta']): string {
  const { strategy, blend, similarity_version: version, interactions, is_partial: isPartial } = meta
  const why =
    strategy === 'personal'
      ? `By what the shopper did, blend ${blend}`
      : version === null
        ? 'Popular products, because there are no similarities yet'
        : 'Popular products, because too little is known of the shopper'
  const parts = [
    why,
    `${interactions < HISTORY_MAX ? interactions : `at least ${interactions}`} interaction${interactions === 1 ? '' : 's'}`,
    version === null ? '' : `version ${version}`,
  ]
  return `${parts.filter((part) => part !== '').join(' · ')}${isPartial ? ' · some events may be missing' : ''}`
}

/** Its name and id. */
function titleOf(productId: string, nameOf: NameOf): string {
  const name = nameOf(productId).trim()
  return harmless(name === productId ? productId : `${name} (${productId})`)
}

function productLines({ rank, score, reasons }: Recommendation, title: string, nameOf: NameOf): Line[] {
  const text = `${String(rank).padStart(3)}  ${title}  ${score.toFixed(DECIMALS)}`
  if (reasons === undefined) return [{ text }]
  return [{ text, style: 'bold' }, ...reasonLines(reasons, nameOf), { text: '' }]
}

function reasonLines({ total, shares, rules, candidates }: Reasons, nameOf: NameOf): Line[] {
  const factor = rules.reduce((before, rule) => before * rule.factor, 1)
  const times = factor === 1 ? '' : ` · rules ${numberText(factor)}`
  const small = shares.filter(({ share }) => Math.abs(share) * SMALL_PART < Math.abs(total))
  const shown = small.length > 1 ? shares.filter((share) => !small.includes(share)) : shares
  return [
    ...shown.flatMap((share) => {
      const [why, how] = wordsOf(share, nameOf)
      return [
        { text: `     ${amountText(share.share)}  ${why}` },
        { text: `${' '.repeat(18)}${how}${times}`, style: 'dim' as const },
      ]
    }),
    ...(shown === shares ? [] : [smallLine(small)]),
    ...rules.map(({ rule, factor: one, detail }) => ({
      text: `     rule ${rule} ${numberText(one)}: ${detail ?? ''}`,
      style: 'dim' as const,
    })),
    { text: `   = ${amountText(total)}` },
    { text: `     from the lists: ${candidates.join(', ')}`, style: 'dim' },
  ]
}

function smallLine(small: readonly ScoreShare[]): Line {
  const sum = small.reduce((before, { share }) => before + share, 0)
  return { text: `     ${amountText(sum)}  ${small.length} shares of less than a thousandth of the score (--json shows them)` }
}

/** Why a part is there, and which numbers were multiplied. */
function wordsOf(share: ScoreShare, nameOf: NameOf): [string, string] {
  if (share.part === 'similarity') {
    const times = `${share.pairs} time${share.pairs === 1 ? '' : 's'}`
    return [
      `shoppers had it near ${calledBy(share, nameOf)} ${times}`,
      `similarity ${numberText(share.similarity)}${factorsOf(share)}`,
    ]
  }
  if (share.part === 'content') {
    const shared = Object.entries(share.shared).map(([name, value]) => `${name} ${value}`)
    return [
      `it is like ${calledBy(share, nameOf)}${shared.length === 0 ? '' : `: ${shared.join(', ')}`}`,
      `cosine ${numberText(share.cosine)} · content ${numberText(share.content_weight)}${factorsOf(share)}`,
    ]
  }
  const weight = ` · weight ${numberText(share.weight)}`
  if (share.part === 'base') {
    return ['price and stock', `(price ${numberText(share.price)} + stock ${numberText(share.stock)}) / 2${weight}`]
  }
  if (share.part === 'preference') {
    return [
      'the shopper likes its kind',
      `(category ${numberText(share.category)} + brand ${numberText(share.brand)}) / 2${weight}`,
    ]
  }
  return ['it is popular', `(3 · trending ${numberText(share.trending)} + overall ${numberText(share.overall)}) / 4${weight}`]
}

type EventShare = Extract<ScoreShare, { part: 'similarity' | 'content' }>

function calledBy({ product_id: id }: EventShare, nameOf: NameOf): string {
  return nameOf(id).trim()
}

/** The factors that are not 1, and the event that the share is because of. */
function factorsOf({ decay, age, strength, weight, event_type: type, occurred_at: at }: EventShare): string {
  return [
    ` · decay ${numberText(decay)} (${age === 0 ? 'the newest' : `${age} newer`})`,
    strength === 1 ? '' : ` · strength ${numberText(strength)}`,
    weight === 1 ? '' : ` · weight ${numberText(weight)}`,
    ` · ${type} of ${at.slice(0, 19).replace('T', ' ')}`,
  ].join('')
}

function amountText(billionths: number): string {
  return (billionths / 10 ** DECIMALS).toFixed(DECIMALS)
}

function numberText(value: number): string {
  return String(Number(value.toPrecision(4)))
}
