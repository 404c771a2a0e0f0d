/** A node of a query tree as PostgreSQL prints it (pg_node_tree): its kind and its fields. */
export interface TreeNode {
  kind: string
  fields: Map<string, TreeValue>
}

export type TreeValue = TreeNode | TreeValue[] | string

/** Reads a text of pg_node_tree. */
export function parseTree(text: string): TreeValue {
  const tokens = text.match(/"(?:\\.|[^"\\])*"|\[[^\]]*\]|[(){}]|(?:\\.|[^\s(){}\\])+/g) ?? []
  let at = 0
  const value = (): TreeValue => {
    const token = tokens[at++]!
    if (token === '(') {
      const list: TreeValue[] = []
      while (tokens[at] !== ')') list.push(value())
      at++
      return list
    }
    if (token !== '{') return token
    const node: TreeNode = { kind: tokens[at++]!, fields: new Map() }
    while (tokens[at] !== '}') {
      const name = tokens[at++]!
      // A constant has its length before its bytes.
      const first = value()
      node.fields.set(name.slice(1), tokens[at]?.startsWith('[') ? value() : first)
    }
    at++
    return node
  }
  return value()
}

export const isNode = (value: TreeValue | undefined): value is TreeNode => typeof value === 'object' && !Array.isArray(value)

/** The nodes in a list, or of a single node. */
export function nodesIn(value: TreeValue | undefined): TreeNode[] {
  if (Array.isArray(value)) return value.flatMap((each) => nodesIn(each))
  return isNode(value) ? [value] : []
}

export const textOf = (node: TreeNode, field: string): string => {
  const value = node.fields.get(field)
  return typeof value === 'string' ? value : ''
}

/** Every node below a value, and itself. `enters` says whether to look into a node. */
export function* walk(value: TreeValue | undefined, enters: (node: TreeNode) => boolean = () => true): Generator<TreeNode> {
  if (value === undefined || typeof value === 'string') return
  if (Array.isArray(value)) {
    for (const each of value) yield* walk(each, enters)
    return
  }
  yield value
  if (!enters(value)) return
  for (const field of value.fields.values()) yield* walk(field, enters)
}
