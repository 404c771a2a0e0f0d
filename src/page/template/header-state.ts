import { html, type Node } from './html.ts'
import { neutral } from './neutral.ts'

/** What the right of the header says. What is not known is left out. */
export interface HeaderState {
  /** Why nothing comes in, and the view that says more, where the caller may open it. */
  notReady?: { reason: string; address: string | undefined } | undefined
  /** The age of the oldest event that is not counted yet, in seconds; null when all are counted. */
  countedUpToSeconds?: number | null | undefined
  /** The last verification. */
  proof?: { finishedAt: string; cells: number; driftCount: number } | undefined
  /** Who is signed in; undefined where no key is needed. */
  caller?: { name: string; canSignOut: boolean } | undefined
  nowMs: number
}

export function headerState({ notReady, countedUpToSeconds, proof, caller, nowMs }: HeaderState): Node {
  return [
    notReady !== undefined
      ? outageOf(notReady)
      : countedUpToSeconds !== undefined && html`<span class="fresh">${freshness(countedUpToSeconds)}</span>`,
    proof !== undefined && proofOf(proof, nowMs),
    caller !== undefined &&
      html`<span class="caller">
        <span class="quiet">Signed in as</span> ${caller.name}
        ${
          caller.canSignOut &&
          html`<form method="post" action="/session/end"><button type="submit" class="link">Sign out</button></form>`
        }
      </span>`,
  ]
}

function outageOf({ reason, address }: NonNullable<HeaderState['notReady']>): Node {
  const text = `Not ready: ${reason}`
  return html`<span class="fresh bad">${address === undefined ? text : html`<a href=${address}>${text}</a>`}</span>`
}

/** Counting follows recording by a moment, so less than a second is not told apart. */
function freshness(seconds: number | null): Node {
  if (seconds === null) return 'Everything is counted'
  return `Counted up to ${ageText(Math.max(1, seconds))} ago`
}

function proofOf({ finishedAt, cells, driftCount }: NonNullable<HeaderState['proof']>, nowMs: number): Node {
  const age = ageText((nowMs - Date.parse(finishedAt)) / 1_000)
  return html`<span class=${driftCount === 0 ? 'proof' : 'proof bad'}>
    Verified ${age} ago: <data class="n" value=${driftCount}>${neutral(driftCount, 0)}</data>${' of '}
    <data class="n" value=${cells}>${neutral(cells, 0)}</data> cells wrong
  </span>`
}

const UNITS = [
  [86_400, 'd'],
  [3_600, 'h'],
  [60, 'min'],
  [1, 's'],
] as const

/** A duration in its largest unit: "14 s", "2 min", "3 d". */
export function ageText(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  const [unit, name] = UNITS.find(([unit]) => whole >= unit) ?? [1, 's']
  return `${Math.floor(whole / unit)} ${name}`
}
