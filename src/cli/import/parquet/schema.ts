import { type FileMetaData, parquetSchema, type SchemaElement, type SchemaTree } from 'hyparquet'

/** Columns of bytes that are texts. So are those without a type, as older programs write them. */
const TEXTS = new Set(['STRING', 'ENUM', 'JSON', 'UTF8'])
/** Types that hyparquet would convert with a loss, or refuse. */
const STORED = new Set(['DECIMAL', 'BSON', 'INTERVAL', 'GEOMETRY', 'GEOGRAPHY'])

/** The schema of a file. */
export function schemaOf({ schema }: FileMetaData): SchemaTree {
  return parquetSchema({ schema: schema.map(withGroupType) })
}

/** The same schema for hyparquet, which then returns values of the types above as they are stored. */
export function storedSchemaOf(node: SchemaTree): SchemaTree {
  // hyparquet decodes variants as a whole.
  const isVariant = node.element.logical_type?.type === 'VARIANT'
  const children = isVariant ? node.children : node.children.map(storedSchemaOf)
  return { ...node, element: storedForm(node.element), children }
}

/** The nodes from the root to each column that is stored, in the order of the columns of a row group. */
export function pathsToLeaves(node: SchemaTree, above: readonly SchemaTree[] = []): SchemaTree[][] {
  const path = [...above, node]
  return node.children.length === 0 ? [path] : node.children.flatMap((child) => pathsToLeaves(child, path))
}

/** Newer programs may leave out the older of two names for lists and maps, but hyparquet reads only the older one. */
function withGroupType(element: SchemaElement): SchemaElement {
  const { type } = element.logical_type ?? {}
  return type === 'LIST' || type === 'MAP' ? { ...element, converted_type: type } : element
}

function storedForm(element: SchemaElement): SchemaElement {
  if (element.type === undefined) return element
  const name = element.logical_type?.type ?? element.converted_type
  const { converted_type: _converted, logical_type: _logical, ...stored } = element
  if (name === undefined ? element.type === 'BYTE_ARRAY' : TEXTS.has(name)) return { ...stored, converted_type: 'UTF8' }
  return name !== undefined && STORED.has(name) ? stored : element
}
