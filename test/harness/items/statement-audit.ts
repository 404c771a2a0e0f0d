import { sql } from 'kysely'
import type { Database } from '../../../src/store/database/connection.ts'
import { PLACEMENTS } from '../../../src/store/database/distribution.ts'
import { isNode, nodesIn, parseTree, textOf, type TreeNode, type TreeValue, walk } from './node-tree.ts'

/** What a table or view is to Citus: a group of shards, `reference` or `local`. Undefined for tables of PostgreSQL. */
type Kind = string

/** Views, by the tables that they are of. */
const VIEWS: Record<string, Kind> = { product_cell: 'product', rejected_event: 'reference' }

export interface Schema {
  kindOf: ReadonlyMap<string, Kind>
  nameOf: ReadonlyMap<string, string>
  /** Names of functions that are not immutable: s or v, by oid. */
  volatilityOf: ReadonlyMap<string, string>
  functionOf: ReadonlyMap<string, string>
  /** The number of the distribution column, by the oid of the table. */
  columnOf: ReadonlyMap<string, string>
}

export async function readSchema(db: Database): Promise<Schema> {
  const { rows } = await sql<{ oid: string; name: string }>`
    select c.oid::text, case nspname when 'public' then relname else nspname || '.' || relname end as name
    from pg_class c join pg_namespace n on n.oid = relnamespace where relkind in ('r', 'p', 'v')`.execute(db)
  const { rows: functions } = await sql<{ oid: string; volatility: string; name: string }>`
    select oid::text, provolatile as volatility, oid::regprocedure::text as name from pg_proc`.execute(db)
  const { rows: columns } = await sql<{ oid: string; name: string; no: string }>`
    select attrelid::text as oid, attname as name, attnum::text as no from pg_attribute where attnum > 0`.execute(db)
  const placements = new Map(PLACEMENTS.map((placement) => [placement.table, placement]))
  const kindOf = new Map<string, Kind>()
  const columnOf = new Map<string, string>()
  for (const { oid, name } of rows) {
    const placement = placements.get(name)
    if (placement === undefined) {
      if (VIEWS[name] !== undefined) kindOf.set(oid, VIEWS[name])
      continue
    }
    kindOf.set(oid, placement.as === 'distributed' ? placement.group : placement.as)
    if (placement.as !== 'distributed') continue
    columnOf.set(oid, columns.find((column) => column.oid === oid && column.name === placement.by)!.no)
  }
  return {
    ...{ kindOf, columnOf },
    nameOf: new Map(rows.map(({ oid, name }) => [oid, name])),
    volatilityOf: new Map(functions.map(({ oid, volatility }) => [oid, volatility])),
    functionOf: new Map(functions.map(({ oid, name }) => [oid, name])),
  }
}

export interface Tree {
  text: string
  tree?: TreeNode
  /** Why PostgreSQL does not take the statement. */
  error?: string
}

const QUERY_TEXT = /^\s*(--[^\n]*\n\s*)*\(?(select|insert|update|delete|with)\b/i

/**
 * The trees of the statements that are queries, which PostgreSQL keeps of functions with these bodies. Types of parameters are those that it
 * derives.
 */
export function statementsOf(db: Database, texts: readonly string[]): Promise<Tree[]> {
  return db.connection().execute(async (session) => {
    await sql`
      create or replace function pg_temp.tree_of(statement text) returns text language plpgsql as $$
      declare
        types text;
        body text;
      begin
        execute 'prepare audited as ' || statement;
        select array_to_string(parameter_types, ', ') into types from pg_prepared_statements where name = 'audited';
        deallocate audited;
        execute format('create function pg_temp.audited(%s) returns void language sql begin atomic %s; end', types, statement);
        select prosqlbody::text into body from pg_proc where proname = 'audited' and pronamespace = pg_my_temp_schema();
        drop function pg_temp.audited;
        return body;
      end $$`.execute(session)
    const trees: Tree[] = []
    for (const text of texts.filter((each) => QUERY_TEXT.test(each))) {
      trees.push(
        await sql<{ body: string }>`select pg_temp.tree_of(${text}) as body`.execute(session).then(
          ({ rows }) => ({ text, tree: nodesIn(parseTree(rows[0]!.body))[0]! }),
          (error: Error) => ({ text, error: error.message }),
        ),
      )
    }
    return trees
  })
}

const UPDATE = '2'
const INSERT = '3'
const DELETE = '4'
const isQuery = ({ kind }: TreeNode) => kind === 'QUERY'

/** What Citus is known to refuse, or to do differently on each node, in a statement. */
export function problemsOf(schema: Schema, root: TreeNode): string[] {
  const queries = [...walk(root)].filter(isQuery)
  return [...new Set([...mixedWithLocal(schema, queries), ...queries.flatMap((query) => problemsOfQuery(schema, query))])]
}

const relationsOf = (query: TreeNode) =>
  nodesIn(query.fields.get('rtable')).filter((entry) => entry.kind === 'RANGETBLENTRY' && textOf(entry, 'relid') !== '')

const oidsOf = (query: TreeNode) => relationsOf(query).map((entry) => textOf(entry, 'relid'))

function mixedWithLocal({ kindOf, nameOf }: Schema, queries: readonly TreeNode[]): string[] {
  const oids = [...new Set(queries.flatMap(oidsOf))].filter((oid) => kindOf.has(oid))
  const local = oids.filter((oid) => kindOf.get(oid) === 'local')
  const others = oids.filter((oid) => kindOf.get(oid) !== 'local')
  if (local.length === 0 || others.length === 0) return []
  const names = (some: readonly string[]) => some.map((oid) => nameOf.get(oid)).join(', ')
  return [`local ${names(local)} with ${names(others)}`]
}

function problemsOfQuery(schema: Schema, query: TreeNode): string[] {
  return [
    ...changesOf(schema, query),
    ...conflictsOf(schema, query),
    ...rowLocksOf(schema, query),
    ...placesOf(schema, query),
    ...groupsOf(schema, query),
    ...correlationsOf(schema, query),
    ...lateralsOf(schema, query),
  ]
}

function targetOf({ kindOf }: Schema, query: TreeNode): string | undefined {
  const entry = nodesIn(query.fields.get('rtable'))[Number(textOf(query, 'resultRelation')) - 1]
  const oid = entry && textOf(entry, 'relid')
  return oid !== undefined && kindOf.has(oid) && kindOf.get(oid) !== 'local' ? oid : undefined
}

/** Functions of an expression, with whether columns are among their arguments; not those of subqueries. */
function* functionsIn({ volatilityOf, functionOf }: Schema, value: TreeValue | undefined) {
  for (const node of walk(value, (each) => !isQuery(each))) {
    const oid = textOf(node, 'funcid') || textOf(node, 'opfuncid')
    const volatility = volatilityOf.get(oid)
    if (volatility === undefined || volatility === 'i') continue
    const hasColumns = [...walk(node.fields.get('args'))].some(({ kind }) => kind === 'VAR')
    yield { name: functionOf.get(oid)!, volatility, hasColumns }
  }
}

function changesOf(schema: Schema, query: TreeNode): string[] {
  const command = textOf(query, 'commandType')
  const target = targetOf(schema, query)
  if ((command !== UPDATE && command !== DELETE) || target === undefined) return []
  const name = schema.nameOf.get(target)!
  const parts = [query.fields.get('targetList'), query.fields.get('jointree')]
  const functions = parts.flatMap((part) => [...functionsIn(schema, part)])
  const problems = functions.flatMap(({ name: called, volatility, hasColumns }) => {
    if (volatility === 'v') return [`${name}: volatile ${called} in a change`]
    return hasColumns ? [`${name}: stable ${called} of columns in a change`] : []
  })
  const column = schema.columnOf.get(target)
  const entries = nodesIn(query.fields.get('targetList'))
  if (command === UPDATE && entries.some((entry) => textOf(entry, 'resno') === column && textOf(entry, 'resjunk') === 'false'))
    problems.push(`${name}: changes the distribution column`)
  // Each node would choose its own rows.
  const subqueries = [
    ...walk(query.fields.get('jointree')),
    ...walk(query.fields.get('targetList')),
    ...nodesIn(query.fields.get('rtable')).flatMap((entry) => nodesIn(entry.fields.get('subquery'))),
  ].filter(isQuery)
  if (subqueries.some((each) => isNode(each.fields.get('limitCount'))))
    problems.push(`${name}: a limit in a subquery of a change`)
  return problems
}

function conflictsOf(schema: Schema, query: TreeNode): string[] {
  const target = targetOf(schema, query)
  const conflict = query.fields.get('onConflict')
  if (textOf(query, 'commandType') !== INSERT || target === undefined || !isNode(conflict)) return []
  const name = schema.nameOf.get(target)!
  const parts = [conflict.fields.get('onConflictSet'), conflict.fields.get('onConflictWhere')]
  return parts.flatMap((part) => [
    ...[...functionsIn(schema, part)].map(({ name: called }) => `${name}: ${called} where rows conflict`),
    ...([...walk(part)].some(({ kind }) => kind === 'SUBLINK') ? [`${name}: a subquery where rows conflict`] : []),
  ])
}

const isShards = (kind: Kind | undefined) => kind !== undefined && kind !== 'reference' && kind !== 'local'

/** A lock of rows of several shards. One of rows with one value of the distribution column is of one shard. */
function rowLocksOf({ kindOf, nameOf, columnOf }: Schema, query: TreeNode): string[] {
  const entries = nodesIn(query.fields.get('rtable'))
  return nodesIn(query.fields.get('rowMarks')).flatMap((mark) => {
    const oid = textOf(entries[Number(textOf(mark, 'rti')) - 1]!, 'relid')
    const isOfOneShard = [...walk(query.fields.get('jointree'))].some((node) => {
      const [left, right] = node.kind === 'OPEXPR' ? nodesIn(node.fields.get('args')) : []
      return left !== undefined && right?.kind === 'PARAM' && textOf(left, 'varattno') === columnOf.get(oid)
    })
    return isShards(kindOf.get(oid)) && !isOfOneShard ? [`${nameOf.get(oid)}: locks rows of shards`] : []
  })
}

function placesOf({ kindOf, nameOf }: Schema, query: TreeNode): string[] {
  const entries = nodesIn(query.fields.get('rtable'))
  const vars = [...walk([...query.fields.values()], (each) => !isQuery(each))].filter(
    (node) => node.kind === 'VAR' && textOf(node, 'varlevelsup') === '0' && textOf(node, 'varattno').startsWith('-'),
  )
  return vars.flatMap((node) => {
    const entry = entries[Number(textOf(node, 'varno')) - 1]
    const oid = entry && textOf(entry, 'relid')
    return oid !== undefined && kindOf.has(oid) ? [`${nameOf.get(oid)}: the place or version of a row`] : []
  })
}

/**
 * Groups of shards that one query joins. Citus executes common table expressions first, and in a selection also subqueries that are about other
 * shards; but not subqueries in expressions, and none of a change.
 */
function groupsOf({ kindOf }: Schema, query: TreeNode): string[] {
  const isChange = [UPDATE, DELETE].includes(textOf(query, 'commandType'))
  const groups = new Set<string>()
  const collect = (each: TreeNode) => {
    for (const oid of oidsOf(each)) if (isShards(kindOf.get(oid))) groups.add(kindOf.get(oid)!)
    const subqueries = isChange
      ? nodesIn(each.fields.get('rtable')).flatMap((entry) => nodesIn(entry.fields.get('subquery')))
      : []
    const links = ['jointree', 'targetList', 'havingQual'].flatMap((part) =>
      [...walk(each.fields.get(part), (inner) => !isQuery(inner))].filter(isQuery),
    )
    for (const inner of [...subqueries, ...links]) collect(inner)
  }
  collect(query)
  return groups.size > 1 ? [`joins shards of ${[...groups].toSorted().join(' and ')}`] : []
}

/** Tables of the subqueries of an entry, at any depth. */
const deepOidsOf = (entry: TreeNode): string[] =>
  [...walk(entry.fields.get('subquery'))].filter(isQuery).flatMap((query) => oidsOf(query))

/** Subqueries in expressions that read shards and depend on the query around them. */
function correlationsOf({ kindOf, nameOf }: Schema, query: TreeNode): string[] {
  const links = [...walk([...query.fields.values()], (each) => !isQuery(each))].filter(({ kind }) => kind === 'SUBLINK')
  return links.flatMap((link) => {
    const inner = nodesIn(link.fields.get('subselect'))[0]!
    const depends = [...walk(inner)].some((node) => node.kind === 'VAR' && textOf(node, 'varlevelsup') === '1')
    const shards = oidsOf(inner).filter((oid) => isShards(kindOf.get(oid)))
    const outer = [...oidsOf(query), ...nodesIn(query.fields.get('rtable')).flatMap((entry) => deepOidsOf(entry))].some((oid) =>
      isShards(kindOf.get(oid)),
    )
    return depends && shards.length > 0 && !outer
      ? [`${nameOf.get(shards[0]!)}: a subquery that depends on a row without shards`]
      : []
  })
}

/** Subqueries that read shards for each row beside them, where these rows are not of shards. */
function lateralsOf({ kindOf, nameOf }: Schema, query: TreeNode): string[] {
  const entries = nodesIn(query.fields.get('rtable'))
  return entries.flatMap((entry) => {
    const inner = nodesIn(entry.fields.get('subquery'))[0]
    if (inner === undefined || textOf(entry, 'lateral') !== 'true') return []
    const depends = [...walk(inner)].some(
      (node) => node.kind === 'VAR' && Number(textOf(node, 'varlevelsup')) > 0 && isOuter(inner, node),
    )
    const shards = [...walk(inner)]
      .filter(isQuery)
      .flatMap(oidsOf)
      .filter((oid) => isShards(kindOf.get(oid)))
    const beside = entries.filter((each) => each !== entry).flatMap((each) => [textOf(each, 'relid'), ...deepOidsOf(each)])
    return depends && shards.length > 0 && !beside.some((oid) => isShards(kindOf.get(oid)))
      ? [`${nameOf.get(shards[0]!)}: shards read for each row beside them`]
      : []
  })
}

/** Whether a column is of a query around this one. */
function isOuter(query: TreeNode, column: TreeNode): boolean {
  const depthOf = (value: TreeNode, depth: number): number | undefined => {
    for (const node of walk([...value.fields.values()], (each) => !isQuery(each))) {
      if (node === column) return depth
      const deeper = isQuery(node) ? depthOf(node, depth + 1) : undefined
      if (deeper !== undefined) return deeper
    }
    return undefined
  }
  return Number(textOf(column, 'varlevelsup')) > (depthOf(query, 0) ?? Infinity)
}
