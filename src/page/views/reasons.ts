import type { Reasons, ScoreShare } from '../../contract/recommendation.ts'
import { number } from '../components/value.ts'
import { productAddress } from '../template/address.ts'
import { html, type Node } from '../template/html.ts'

const REASONS_SHOWN = 3
const BILLION = 1_000_000_000

/** The largest parts of a score, each with its sentence. */
export function reasonsOf({ shares, rules, total }: Reasons): Node {
  const shown = shares.slice(0, REASONS_SHOWN)
  const rest = shares.slice(REASONS_SHOWN).reduce((sum, { share }) => sum + share, 0)
  return html`<ul class="reasons">
    ${shown.map((share) => html`<li>${number(share.share / BILLION, 6)} ${why(share)}</li>`)}
    ${shares.length > shown.length && html`<li>${number(rest / BILLION, 6)} <span class="quiet">in ${shares.length - shown.length} smaller parts</span></li>`}
    ${rules.map(({ rule, factor, detail }) => html`<li class="quiet">rule ${rule} × ${factor}${detail === undefined ? '' : `: ${detail}`}</li>`)}
    <li class="hidden">together ${number(total / BILLION, 6)}</li>
  </ul>`
}

function why(share: ScoreShare): Node {
  if (share.part === 'similarity')
    return ['shoppers had it near ', link(share.product_id), ` ${share.pairs === 1 ? 'once' : `${share.pairs} times`}`]
  if (share.part === 'content') {
    const shared = Object.entries(share.shared).map(([name, value]) => `${name} ${value}`)
    return ['it is like ', link(share.product_id), shared.length > 0 && `: ${shared.join(', ')}`]
  }
  if (share.part === 'preference') return 'the shopper likes its category and brand'
  return share.part === 'base' ? 'its price and stock' : 'it is popular'
}

function link(productId: string): Node {
  return html`<a href=${productAddress(productId)}>${productId}</a>`
}
