/** What a /metrics text has: each metric's name, and the labels that its samples have. */
export type Exposed = Map<string, Set<string>>

/** A metric that a query asks for, with the labels that it is filtered by. */
export interface Selected {
  metric: string
  labels: string[]
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*'

/** Reads the text format: declared families, and the samples with their labels. A family without samples has no labels yet. */
export function exposedBy(text: string): Exposed {
  const exposed: Exposed = new Map()
  const of = (name: string) => exposed.get(name) ?? exposed.set(name, new Set()).get(name)!
  for (const line of text.split('\n')) {
    const declared = new RegExp(`^# TYPE (${NAME}) (\\w+)`).exec(line)
    if (declared !== null) for (const name of namesOf(declared[1]!, declared[2]!)) of(name)
    const sample = new RegExp(`^(${NAME})(?:\\{(.*)\\})? `).exec(line)
    if (sample === null) continue
    const labels = of(sample[1]!)
    for (const label of (sample[2] ?? '').matchAll(/(\w+)="/g)) labels.add(label[1]!)
  }
  return exposed
}

function namesOf(family: string, type: string): string[] {
  if (type === 'histogram') return [`${family}_bucket`, `${family}_sum`, `${family}_count`]
  return type === 'summary' ? [family, `${family}_sum`, `${family}_count`] : [family]
}

const WORDS = new Set(['and', 'or', 'unless', 'by', 'without', 'on', 'ignoring', 'group_left', 'group_right', 'bool', 'offset'])

/** The metrics that a PromQL query selects, and the labels that it groups by. Enough of the language for our own queries. */
export function selectedBy(query: string): { selected: Selected[]; groupedBy: string[] } {
  const groupedBy: string[] = []
  const withoutGroups = query.replace(/\b(?:by|without|on|ignoring)\s*\(([^)]*)\)/g, (_clause, list: string) => {
    groupedBy.push(...list.split(',').map((label) => label.trim()))
    return ' '
  })
  const withoutRanges = withoutGroups.replace(/\[[^\]]*\]/g, ' ')
  const selected: Selected[] = []
  const selector = new RegExp(`(${NAME})\\s*(\\(|\\{[^}]*\\})?`, 'g')
  for (const [, name, next] of withoutRanges.matchAll(selector)) {
    if (next === '(' || WORDS.has(name!)) continue
    const labels = [...(next ?? '').matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"/g)].map((match) => match[1]!)
    selected.push({ metric: name!, labels })
  }
  return { selected, groupedBy }
}

/** The faults of a query: metrics and labels that no process exposes. */
export function problemsOf(query: string, exposed: Exposed): string[] {
  const { selected, groupedBy } = selectedBy(query)
  const problems: string[] = []
  for (const { metric, labels } of selected) {
    const known = exposed.get(metric)
    if (known === undefined) problems.push(`there is no metric ${metric}`)
    else if (known.size > 0)
      problems.push(...labels.filter((label) => !known.has(label)).map((label) => `${metric} has no ${label}`))
  }
  const knownLabels = selected.flatMap(({ metric }) => exposed.get(metric) ?? [])
  for (const label of groupedBy) {
    // A family that has no samples yet has no labels to compare with.
    if (knownLabels.every((known) => known.size > 0 && !known.has(label))) problems.push(`nothing in ${query} has ${label}`)
  }
  return problems
}

/** The value of a sample; 0 when it is not there. */
export function valueOf(text: string, name: string, labels: Record<string, string> = {}): number {
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`)
  const lines = text.split('\n').filter((line) => {
    const isNamed = line.startsWith(`${name}{`) || line.startsWith(`${name} `)
    return isNamed && wanted.every((pair) => line.includes(pair))
  })
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
}
