import type {
  RecommendationMetrics,
  RecommendationMetricsResponse,
  RecommendationNumbers,
} from '../../contract/recommendation-metrics.ts'
import type { SimilarityRun, SimilarityVersion } from '../../contract/similarity-run.ts'
import type { SimilaritySettings, TuningEvidence } from '../../contract/similarity-settings.ts'
import { actionForm, filters } from '../components/form.ts'
import { outcome } from '../components/outcome.ts'
import { badge, card, cards, columns, empty, facts, noteOf, panel, partOf, viewHead } from '../components/panel.ts'
import { runsTable } from '../components/runs.ts'
import { table } from '../components/table.ts'
import { ago, amounts, dash, instant, number, share } from '../components/value.ts'
import { type Answer, dataOf } from '../template/answer.ts'
import { html, type Node } from '../template/html.ts'
import { RANGES } from './sellers.ts'

export interface RecommendationsPage {
  days: string
  nowMs: number
  done: string | undefined
  metrics: Answer<RecommendationMetricsResponse>
  versions: Answer<{ data: SimilarityVersion[] }>
  runs: Answer<{ data: SimilarityRun[] }>
  settings: Answer<{ data: SimilaritySettings[] }>
  canManage: boolean
}

const OUTCOMES = {
  promoted: 'The version is in force.',
  started: 'The run was started. Answers use the version before until it ends.',
  cancelled: 'The run is cancelled, and the version in force stays.',
}

export function recommendationsView(shown: RecommendationsPage): Node {
  const { days, metrics, versions, runs, settings, canManage, nowMs } = shown
  return [
    viewHead(
      'Recommendations',
      filters('/recommendations', [{ kind: 'select', name: 'days', label: 'Shown', value: days, options: RANGES, unit: 'day' }]),
    ),
    outcome(shown.done, OUTCOMES),
    partOf(metrics, ({ meta }) => totals(meta.totals)),
    columns(
      [
        panel(
          'Results by strategy and version',
          partOf(metrics, ({ data }) => (data.length === 0 ? noImpression() : metricsTable(data))),
          {
            id: 'metrics',
            note: noteOf(metrics, ({ meta }) => `Events up to ${meta.attribution_hours} h after a list count for it`),
          },
        ),
        panel(
          'Versions of similar products',
          partOf(versions, ({ data }) => (data.length === 0 ? noVersion() : versionsTable(data, canManage, nowMs))),
          { id: 'versions' },
        ),
      ],
      [
        panel('Runs', [
          partOf(runs, ({ data }) =>
            data.length === 0 ? empty('No run was started yet.') : similarityRuns(data, canManage, nowMs),
          ),
          canManage && actionForm('start', [], 'Compute again'),
        ]),
        panel('Last evaluation', evaluation(dataOf(settings) ?? [])),
      ],
    ),
  ]
}

function totals({ impressions, products, clicks, click_through, carts, purchases, revenue }: RecommendationNumbers): Node {
  return cards([
    card('Lists shown', number(impressions), [number(products), ' products']),
    card('Clicks', number(clicks), click_through !== null && [share(click_through), ' of lists']),
    card('Put in carts', number(carts)),
    card('Purchases', number(purchases)),
    card('Net revenue', revenue.length === 0 ? dash() : amounts(revenue)),
  ])
}

function metricsTable(rows: readonly RecommendationMetrics[]): Node {
  return table<RecommendationMetrics>({
    caption: 'Impressions, clicks, purchases and net revenue by strategy and version',
    columns: [
      {
        head: 'Strategy',
        cell: ({ strategy, blend }) => [strategy, html` <span class="quiet medium">${blend}</span>`],
        isHead: true,
      },
      { head: 'Version', cell: ({ similarity_version: version }) => number(version), isNumber: true },
      { head: 'Lists', cell: ({ impressions }) => number(impressions), isNumber: true },
      { head: 'Clicks', cell: ({ clicks }) => number(clicks), isNumber: true },
      { head: 'Per list', cell: ({ click_through }) => share(click_through), isNumber: true, shown: 'medium' },
      { head: 'Carts', cell: ({ carts }) => number(carts), isNumber: true, shown: 'medium' },
      { head: 'Purchases', cell: ({ purchases }) => number(purchases), isNumber: true },
      { head: 'Net revenue', cell: ({ revenue }) => amounts(revenue), isNumber: true, shown: 'medium' },
    ],
    rows,
  })
}

function noImpression(): Node {
  return empty(
    'No list was shown in these days.',
    html`Ask for <code>GET /api/v1/recommendations</code>, or run <code>./footfall demo</code> for a small shop.`,
  )
}

function versionsTable(rows: readonly SimilarityVersion[], canManage: boolean, nowMs: number): Node {
  return table<SimilarityVersion>({
    caption: 'The last two versions, the one in force first',
    columns: [
      {
        head: 'Version',
        cell: ({ version, is_in_force }) => [version, ' ', is_in_force && badge('in force', 'good')],
        isHead: true,
      },
      { head: 'Products', cell: ({ products }) => number(products), isNumber: true },
      { head: 'Shoppers', cell: ({ shoppers }) => number(shoppers), isNumber: true, shown: 'medium' },
      { head: 'Events', cell: ({ events }) => number(events), isNumber: true, shown: 'medium' },
      { head: 'Similar pairs', cell: ({ pairs }) => number(pairs), isNumber: true, shown: 'medium' },
      { head: 'Made', cell: ({ made_at }) => ago(made_at, nowMs) },
      ...(canManage && rows.length > 1 ? [{ head: 'Change', cell: promoteForm }] : []),
    ],
    rows,
    idOf: ({ version }) => String(version),
  })
}

function promoteForm({ version, is_in_force }: SimilarityVersion): Node {
  if (is_in_force) return dash()
  return actionForm('promote', [{ kind: 'hidden', name: 'version', value: String(version) }], `Put ${version} in force`)
}

function noVersion(): Node {
  return empty('Similar products were not computed yet, so popular products are recommended.', 'Start a run.')
}

function similarityRuns(rows: readonly SimilarityRun[], canManage: boolean, nowMs: number): Node {
  return runsTable(
    { caption: 'Runs that compute similar products, newest first', rows, nowMs, canCancel: canManage },
    {
      head: 'Run',
      cell: ({ kind, version, stage }) => [
        version === undefined ? kind : `${kind}, version ${version}`,
        stage !== undefined && `, ${stage}`,
      ],
      isHead: true,
    },
  )
}

/** What a tuning measured that was saved with its settings. */
function evaluation(settings: readonly SimilaritySettings[]): Node {
  const last = settings.find((each): each is SimilaritySettings & { evidence: TuningEvidence } => each.evidence !== null)
  if (last === undefined) return empty('No evaluation is stored.', html`Run <code>./footfall evaluate --tune --save</code>.`)
  const { evidence } = last
  return facts([
    ['Settings', [`version ${last.settings_version} `, last.is_in_force && badge('in force', 'good')]],
    ['Made', instant(last.made_at)],
    ['Data', `${evidence.data}, ${evidence.protocol}`],
    ['Cases', number(evidence.cases)],
    ['NDCG', [number(evidence.before.ndcg, 4), ' before, ', number(evidence.after.ndcg, 4), ` after, of ${evidence.k} places`]],
    ['Hit rate', [number(evidence.before.hr, 4), ' before, ', number(evidence.after.hr, 4), ' after']],
  ])
}
